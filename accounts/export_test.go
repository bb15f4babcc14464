package accounts

// ProxiedClient is the client that asks for tokens through a proxy.
var ProxiedClient = proxiedClient
