package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// sinkVocabulary are the flags that say what Postfix's smtp-sink says with
// letters.
type sinkVocabulary struct {
	name, greeting        string
	without               []string
	noEHLO                bool
	hard, soft, drop, cut string
	hardReply, softReply  string
	delays                []string
	readDelay, abortDelay time.Duration
	timeout               time.Duration
	window                int
	queue, counters       bool
	exitAfterConnections  int64
}

func (v *sinkVocabulary) define(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&v.name, "name", "", "what the server calls itself [-h]")
	flags.StringVar(&v.greeting, "greeting", "", "greeting, as '220 ***' [-P, with --no-ehlo]")
	flags.StringSliceVar(&v.without, "without", nil, "EHLO keywords that are not offered, as PIPELINING,8BITMIME,DSN,ENHANCEDSTATUSCODES,AUTH [-p -8 -N -E -a -C -F]")
	flags.BoolVar(&v.noEHLO, "no-ehlo", false, "know HELO only [-e]")
	flags.StringVar(&v.hard, "reject-hard", "", "refuse these commands for good [-f]")
	flags.StringVar(&v.hardReply, "hard-reply", "500 5.3.0 Error: command failed", "with this reply [-B]")
	flags.StringVar(&v.soft, "reject-soft", "", "refuse these commands for now [-r]")
	flags.StringVar(&v.softReply, "soft-reply", "450 4.3.0 Error: command failed", "with this reply [-b]")
	flags.StringVar(&v.drop, "drop-at", "", "disconnect without a reply at these commands [-q]")
	flags.StringVar(&v.cut, "close-at", "", "reply 421 and disconnect at these commands [-Q]")
	flags.StringArrayVar(&v.delays, "delay", nil, "wait before replying: command:duration[:percent], the chance of once more, again and again (repeatable) [-W, data: -w]")
	flags.DurationVar(&v.readDelay, "read-delay", 0, "wait before reading a content [-H]")
	flags.DurationVar(&v.abortDelay, "abort-delay", 0, "after so long, reply 550 to a content that was not read, and disconnect; 1ns is at once [-A]")
	flags.DurationVar(&v.timeout, "timeout", 0, "disconnect a client that says nothing for so long; 0 never [-t]")
	flags.IntVar(&v.window, "window", 0, "octets of the receive buffer, for a small TCP window; default the system's [-T]")
	flags.BoolVar(&v.queue, "queue-connections", false, "let connections over --max-connections wait instead of refusing them [-m]")
	flags.BoolVar(&v.counters, "counters", false, "show the counters while it runs, on standard error [-c]")
	flags.Int64Var(&v.exitAfterConnections, "exit-after-connections", 0, "end after so many connections have ended [-n]")
}

// apply changes c by what was given.
func (v *sinkVocabulary) apply(c *smtptest.Config, changed func(string) bool) error {
	for flag, value := range map[string]int64{"read-delay": int64(v.readDelay), "abort-delay": int64(v.abortDelay),
		"timeout": int64(v.timeout), "window": int64(v.window), "exit-after-connections": v.exitAfterConnections} {
		if value < 0 {
			return fmt.Errorf("--%s is negative", flag)
		}
	}
	if v.name != "" {
		c.Name = v.name
	}
	if changed("timeout") {
		c.Timeout = v.timeout
	}
	c.NoEHLO, c.Buffer = v.noEHLO, v.window
	c.Quirks.QueueConnections = v.queue
	v.takeAway(c)
	if err := v.greet(c); err != nil {
		return err
	}
	if err := v.refuse(c); err != nil {
		return err
	}
	return v.wait(c)
}

// takeAway removes what shall not be offered.
func (v *sinkVocabulary) takeAway(c *smtptest.Config) {
	if len(v.without) == 0 {
		return
	}
	if c.Extensions == nil {
		c.Extensions = smtptest.DefaultExtensions()
	}
	for _, keyword := range v.without {
		switch strings.ToUpper(keyword) {
		case "AUTH":
			c.Auth = nil
		case "STARTTLS":
			c.TLS = smtptest.TLSNone
		}
		c.Extensions = slices.DeleteFunc(slices.Clone(c.Extensions), func(line string) bool {
			offered, _, _ := strings.Cut(line, " ")
			return strings.EqualFold(offered, keyword)
		})
	}
}

func (v *sinkVocabulary) greet(c *smtptest.Config) error {
	if v.greeting == "" {
		return nil
	}
	reply, err := parseSinkReply("greeting", v.greeting)
	c.Replies.Greeting = reply
	return err
}

// parseSinkReply reads "450 4.3.0 text".
func parseSinkReply(flag, text string) (smtptest.Reply, error) {
	fault, err := smtptest.ParseFault("noop:reply=" + text)
	if err != nil || fault.Reply.String() != text {
		return smtptest.Reply{}, fmt.Errorf("--%s: %q is not a reply such as 450 4.3.0 Try later", flag, text)
	}
	return fault.Reply, nil
}

// refuse adds the faults at commands.
func (v *sinkVocabulary) refuse(c *smtptest.Config) error {
	hard, err := parseSinkReply("hard-reply", v.hardReply)
	if err != nil {
		return err
	}
	soft, err := parseSinkReply("soft-reply", v.softReply)
	if err != nil {
		return err
	}
	for _, at := range []struct {
		flag, commands string
		fault          smtptest.Fault
	}{
		{"drop-at", v.drop, smtptest.Fault{Action: smtptest.Drop}},
		{"close-at", v.cut, smtptest.Fault{Action: smtptest.Close421}},
		{"reject-hard", v.hard, smtptest.Fault{Action: smtptest.Answer, Reply: hard}},
		{"reject-soft", v.soft, smtptest.Fault{Action: smtptest.Answer, Reply: soft}},
	} {
		if at.commands == "" {
			continue
		}
		faults, err := smtptest.FaultsAt(at.commands, at.fault)
		if err != nil {
			return fmt.Errorf("--%s: %w", at.flag, err)
		}
		c.Faults = append(c.Faults, faults...)
	}
	return nil
}

// wait adds the delays.
func (v *sinkVocabulary) wait(c *smtptest.Config) error {
	for _, text := range v.delays {
		faults, err := parseSinkDelay(text)
		if err != nil {
			return fmt.Errorf("--delay %q: %w", text, err)
		}
		c.Faults = append(c.Faults, faults...)
	}
	if v.abortDelay > 0 {
		c.Faults = append(c.Faults, smtptest.Fault{Phase: smtptest.PhaseBody, Action: smtptest.Close421, After: v.abortDelay,
			Reply: smtptest.Reply{Code: 550, Text: "5.3.0 Error: command failed"}})
	}
	if v.readDelay > 0 {
		c.Faults = append(c.Faults, smtptest.Fault{Phase: smtptest.PhaseBody, Action: smtptest.Delay, Pause: v.readDelay})
	}
	return nil
}

// parseSinkDelay reads command:delay[:percent]. A delay without a unit is in
// seconds, as with smtp-sink.
func parseSinkDelay(text string) ([]smtptest.Fault, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return nil, fmt.Errorf("want command:duration or command:duration:percent")
	}
	delay := smtptest.Fault{Action: smtptest.Delay}
	var err error
	if seconds, failed := strconv.Atoi(parts[1]); failed == nil {
		delay.Pause = time.Duration(seconds) * time.Second
	} else if delay.Pause, err = time.ParseDuration(parts[1]); err != nil {
		return nil, err
	}
	if delay.Pause <= 0 {
		return nil, fmt.Errorf("want a positive duration")
	}
	if len(parts) == 3 {
		percent, err := strconv.Atoi(parts[2])
		if err != nil || percent < 1 || percent > 99 {
			return nil, fmt.Errorf("want a percentage from 1 to 99")
		}
		delay.Again = float64(percent) / 100
	}
	return smtptest.FaultsAt(parts[0], delay)
}
