package kaizenprom

import "github.com/prometheus/client_golang/prometheus"

var (
	connections        = describe("connections", "Connections now, by what they do.", "state")
	connectionsOpened  = describe("connections_opened_total", "Dials begun; those that failed are also in kaizen_connections_closed_total, as \"dial\".")
	connectionsReused  = describe("connections_reused_total", "Times an idle connection was used again.")
	connectionsClosed  = describe("connections_closed_total", "Connections that came to an end, by the reason.", "reason")
	learnedConnections = describe("learned_connections", "Connections that the server lets us have, as learned; at most the account's limit.")
	learnedMessages    = describe("learned_messages_per_connection", "Messages that the server takes on one connection, as learned; 0 if it was not learned.")

	accountHealth      = describe("account_health", "Whether the account is in that state: 1 or 0. Before its first use, and after its connections were closed, it is in none.", "state")
	accountUnhealthy   = describe("account_unhealthy", "Whether the account is not healthy for that cause: 1 or 0.", "cause")
	serverUp           = describe("server_up", "Whether one of several servers of the account is used: 1 or 0.", "server")
	serverConnections  = describe("server_connections", "Connections to one of several servers of the account, now.", "server")
	certificateExpires = describe("certificate_expires_timestamp_seconds", "When the server's certificate ends; missing without TLS.")
	lastAccepted       = describe("last_accepted_timestamp_seconds", "When the server last accepted a message; missing if it never has.")

	messagesWaiting  = describe("messages_waiting", "Messages in line now.")
	messagesInFlight = describe("messages_in_flight", "Messages on a connection now.")
	transactions     = describe("transactions_total", "Transactions by their outcome, as their senders were told.", "outcome")
	canceled         = describe("transactions_canceled_total", "Transactions, of outcome not_sent or unknown, that ended because the sender left.")
	late             = describe("transactions_late_total", "Verdicts on transactions of outcome unknown that came after the sender had left.")
	repeated         = describe("transactions_repeated_total", "Tries beyond the first, on another connection.")
	rateWaits        = describe("rate_waits_total", "Times a rate limit held the line.")
	recipients       = describe("recipients_total", "Recipients by the server's verdict.", "outcome")
	acceptedBytes    = describe("accepted_bytes_total", "Octets of the messages that were accepted, once for each transaction.")
	failures         = describe("failures_total", "Transactions that failed for some recipient at least, by what the failure is about.", "class")

	waitSeconds        = describe("wait_seconds", "How long messages stood in line for a connection or a rate limit.")
	transactionSeconds = describe("transaction_seconds", "How long transactions took, from MAIL to the verdict.")
	handshakeSeconds   = describe("handshake_seconds", "How long it took to open a connection: name look-up, TCP, TLS, greeting and EHLO.")
)

// descriptions are all of the above.
var descriptions = []*prometheus.Desc{
	connections, connectionsOpened, connectionsReused, connectionsClosed, learnedConnections, learnedMessages,
	accountHealth, accountUnhealthy, serverUp, serverConnections, certificateExpires, lastAccepted,
	messagesWaiting, messagesInFlight, transactions, canceled, late, repeated, rateWaits, recipients, acceptedBytes, failures,
	waitSeconds, transactionSeconds, handshakeSeconds,
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kaizen_"+name, help, append([]string{"account"}, labels...), nil)
}
