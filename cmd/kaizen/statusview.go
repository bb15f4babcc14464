package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/route"
)

// statusView turns a report into lines for people.
type statusView struct {
	paint func(colour, text string) string
	width int  // columns of the terminal; 0: it is none
	page  bool // one account was asked for
}

func (a *app) statusView(page bool) *statusView {
	v := &statusView{page: page, paint: func(colour, text string) string { return a.paint(a.stdout, colour, text) }}
	v.width, _ = screenSize(a.stdout)
	return v
}

// screenSize is that of a terminal; 0: it is none.
func screenSize(stream any) (width, height int) {
	if f, ok := stream.(*os.File); ok && isTerminal(f) {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil {
			return width, height
		}
	}
	return 0, 0
}

func (v *statusView) lines(r *statusReport) []string {
	if v.page && len(r.Accounts) == 1 {
		return v.wrap(v.onePage(&r.Accounts[0], r.Time), pageMargin)
	}
	lines := v.tableOf(r, r.Accounts)
	if notes := v.notes(r); len(notes) > 0 {
		lines = append(append(lines, ""), notes...)
	}
	if len(r.Accounts) > 1 {
		lines = append(append(lines, ""), v.wrap([]string{r.summary()}, 4)...)
	}
	return lines
}

func (v *statusView) tableOf(r *statusReport, accounts []accountStatus) []string {
	if len(r.Accounts) == 0 {
		return v.wrap([]string{r.nobody()}, 0)
	}
	return newStatusTable(accounts, r.Time, v.width).lines(v.paint)
}

// notes are what is to be said of the accounts, wrapped.
func (v *statusView) notes(r *statusReport) (lines []string) {
	for i := range r.Accounts {
		lines = append(lines, r.Accounts[i].notes(r.Time)...)
	}
	for _, p := range r.Problems {
		lines = append(lines, "Cannot be read: "+flat(p))
	}
	return v.wrap(lines, 4)
}

// wrap breaks lines that are too wide; what follows is indented by so much.
func (v *statusView) wrap(lines []string, hanging int) []string {
	if v.width == 0 {
		return lines
	}
	var wrapped []string
	for _, l := range lines {
		if strings.Contains(l, "\x1b") { // has colours, and is short
			wrapped = append(wrapped, l)
			continue
		}
		wrapped = append(wrapped, wrapWidth(l, v.width, hanging)...)
	}
	return wrapped
}

// severity orders conditions, the worst first, and those who rest last.
var severity = []string{conditionStopped, kaizen.Down.String(), kaizen.Degraded.String(), kaizen.Healthy.String(), conditionIdle}

// summary is how many accounts are in which condition. Chains are none.
func (r *statusReport) summary() string {
	var parts []string
	all := 0
	for _, condition := range severity {
		n := 0
		for i := range r.Accounts {
			if a := &r.Accounts[i]; a.Condition == condition && !route.IsChain(a.Name) {
				n++
			}
		}
		if all += n; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, condition))
		}
	}
	return plural(all, "account") + ": " + strings.Join(parts, ", ")
}

// screen is what fits on a terminal of so many lines: a heading, the accounts (if
// not all have room, the worst first), and as many notes as have room.
func (v *statusView) screen(r *statusReport, heading string, height int) []string {
	lines := []string{v.paint("2", cutWidth(heading, v.width)), ""}
	room := max(height-len(lines), 1)
	if v.page && len(r.Accounts) == 1 {
		return append(lines, cutLines(v.lines(r), room)...)
	}
	notes := v.notes(r)
	forTable := room
	if len(notes) > 0 {
		forTable = max(room-len(notes)-1, room*2/3)
	}
	accounts := r.Accounts
	if len(accounts)+1 > forTable {
		accounts = slices.Clone(accounts)
		slices.SortStableFunc(accounts, func(a, b accountStatus) int {
			return cmp.Compare(slices.Index(severity, a.Condition), slices.Index(severity, b.Condition))
		})
	}
	table := cutLines(v.tableOf(r, accounts), forTable)
	lines = append(lines, table...)
	if left := room - len(table) - 1; len(notes) > 0 && left > 0 {
		lines = append(append(lines, ""), cutLines(notes, left)...)
	}
	return lines
}

// cutLines leaves out what has no room, and says so.
func cutLines(lines []string, room int) []string {
	if len(lines) <= room {
		return lines
	}
	left := len(lines) - room + 1
	return append(slices.Clone(lines[:max(room-1, 0)]), fmt.Sprintf("… and %s more", plural(left, "line")))
}

// pageMargin is where the values of a page begin.
const pageMargin = 14

// onePage is everything that is known of one account.
func (v *statusView) onePage(s *accountStatus, now time.Time) (lines []string) {
	row := func(name, format string, values ...any) {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%-*s", pageMargin, name)+fmt.Sprintf(format, values...), " "))
	}
	row("Account", "%s%s", printable(s.Name), map[bool]string{false: " (not configured)"}[s.Configured])
	condition := v.paint(colourOf(s.Condition), s.Condition)
	if s.Condition != conditionIdle && !s.Since.IsZero() {
		condition += " for " + inShort(max(now.Sub(s.Since), 0)) + ", since " + clock(s.Since, now)
	}
	row("Condition", "%s", condition)
	if !s.healthy() {
		row("Reason", "%s", flat(s.Reason))
		if s.Advice != "" {
			row("What to do", "%s", flat(s.Advice))
		}
	}
	if !s.NextProbe.IsZero() {
		row("Next probe", "%s", moment(s.NextProbe, now))
	}
	v.servers(s, now, row)
	if !s.Certificate.IsZero() {
		row("Certificate", "ends %s", moment(s.Certificate, now))
	}
	for _, w := range s.Warnings {
		row("Warning", "%s", flat(w))
	}
	v.figures(s, now, row)
	for i := range s.Limits {
		row([]string{"Limits", ""}[min(i, 1)], "%s", s.Limits[i].room())
	}
	for i, l := range s.Learned {
		row([]string{"Learned", ""}[min(i, 1)], "%s", learnedInWords(l, now))
	}
	for i := range s.Processes {
		row([]string{"Processes", ""}[min(i, 1)], "%s", s.Processes[i].inWords(now))
	}
	if s.Processes == nil {
		row("Processes", "none: no program sends with this account now")
	}
	return lines
}

// servers are the server, or each of several.
func (v *statusView) servers(s *accountStatus, now time.Time, row func(name, format string, values ...any)) {
	if len(s.Servers) == 0 {
		server := orDash(printable(s.Server))
		if s.LMTP {
			server += ", LMTP"
		}
		row("Server", "%s", server)
		return
	}
	for i := range s.Servers {
		one := &s.Servers[i]
		state := v.paint(colourOf(one.Condition.String()), one.Condition.String())
		if one.Condition == kaizen.Down {
			state += " for " + inShort(max(now.Sub(one.Since), 0)) + ": " + flat(one.Reason)
		} else if one.Connections > 0 {
			state += ", " + plural(one.Connections, "connection")
		}
		row([]string{"Servers", ""}[min(i, 1)], "%s (priority %d, weight %d): %s", printable(one.Server), one.Priority, one.Weight, state)
	}
}

func (v *statusView) figures(s *accountStatus, now time.Time, row func(name, format string, values ...any)) {
	if s.Queue != nil {
		row("Queue", "%s", s.Queue.inWords(now))
	}
	if s.Processes != nil {
		row("Messages", "%d waiting, %d in flight", s.Waiting, s.InFlight)
		row("", "%d accepted, %d rejected, %d not sent, %d unknown", s.Accepted, s.Rejected, s.NotSent, s.Unknown)
		row("Rate", "%s", perSecond(s.PerSecond))
		row("Connections", "%d of %d open: %d busy, %d idle", s.Open, s.Capacity, s.Busy, s.Idle)
	}
	if !s.LastAccepted.IsZero() {
		row("Last accepted", "%s", moment(s.LastAccepted, now))
	}
}

// room says more than words: when there is room again.
func (l *limitUse) room() string {
	if l.FreeIn <= 0 {
		return l.words()
	}
	if free := time.Duration(l.FreeIn * float64(time.Second)); free >= time.Second {
		return l.words() + ", room again in " + inShort(free)
	}
	return l.words() + ", room again within a second"
}

// inWords is the process on a line of the page.
func (p *processReport) inWords(now time.Time) string {
	text := fmt.Sprintf("%d %s", p.PID, printable(p.Program))
	if !p.Started.IsZero() {
		text += ", for " + inShort(max(now.Sub(p.Started), 0))
	}
	return text + fmt.Sprintf(": %s, %d waiting, %d accepted, %s, connections %s", p.Condition, p.Waiting, p.Accepted, perSecond(p.PerSecond), p.connections())
}

// moment is a time for a page that has room.
func moment(t, now time.Time) string {
	return fmt.Sprintf("%s (%s)", relative(t, now), clock(t, now))
}

// clock is the time of day, with the day unless that is today.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}
