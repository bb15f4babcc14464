package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const demoLong = `Show what a connection pool is good for, live, on a server inside this process
that behaves like a distant provider: 2 s to connect and log in (STARTTLS, AUTH),
0.1 s for a round trip. Nothing leaves this machine.

1, 10 and 100 messages go three ways at the same time, each way to a server of
its own: with a connection each, one message after the other; through the pool
with the limits of the document that Kaizen began with (5 connections, 100
messages per connection, 10 messages per second), handed over all at once; and
the same without the rate limit.

All delays, and the rate limit, are ten times shorter than in life; times are
shown as they would be in life. With --real nothing is shortened, and 100
messages with a connection each, which take four minutes, are run with --full.`

const demoExample = `  kaizen demo
  kaizen demo --real`

// demoOptions is the command line of a demo.
type demoOptions struct {
	real, full bool
	speed      float64 // how many times faster than life
	counts     []int   // of messages, rising; at most 100
}

func newDemoCommand(app *app) *cobra.Command {
	o := demoOptions{}
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Show Kaizen at work, against a server of its own",
		Long:    demoLong,
		Example: demoExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.real {
				o.speed = 1
			}
			if !(o.speed >= 1) { // NaN, too
				return &usageError{command: cmd.CommandPath(), err: fmt.Errorf("--speed: %g is less than 1", o.speed)}
			}
			return app.demo(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.real, "real", false, "shorten no delay")
	flags.BoolVar(&o.full, "full", false, "with --real: run everything, for about five minutes")
	flags.Float64Var(&o.speed, "speed", 10, "how many times faster than life")
	flags.IntSliceVar(&o.counts, "counts", []int{1, 10, 100}, "how many messages")
	// For tests. Much faster than ten, this machine's own speed shows in the figures.
	flags.Lookup("speed").Hidden, flags.Lookup("counts").Hidden = true, true
	return cmd
}

// demo shows what came about even if it is interrupted.
func (a *app) demo(ctx context.Context, o demoOptions) error {
	paint := func(colour, text string) string { return a.paint(a.stdout, colour, text) }
	screen := a.demoScreen(paint)
	fmt.Fprint(a.stdout, demoIntroduction(o))
	rounds, err := playDemo(ctx, o, screen)
	if len(rounds) > 0 {
		fmt.Fprint(a.stdout, "\n"+demoTable(rounds, paint)+"\n"+demoNotes(rounds))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.stdout, "\n"+demoEnd(rounds)+"\n")
	return err
}

func demoIntroduction(o demoOptions) string {
	pace := "Nothing is shortened."
	if o.speed != 1 {
		pace = fmt.Sprintf("All of it goes %g times faster, the rate limit too; times are shown as in life.", o.speed)
	}
	return "A server in this process that behaves like a distant one: 2 s to connect and\n" +
		"log in, 0.1 s for a round trip. With a connection each, messages go one after\n" +
		"the other; the pool gets all at once.\n" + pace + "\n"
}

func playDemo(ctx context.Context, o demoOptions, screen *demoScreen) (rounds []*demoRound, err error) {
	for _, messages := range o.counts {
		round := newDemoRound(messages, o.speed)
		if single := round.runs[demoSingly]; o.speed == 1 && !o.full && messages == 100 && len(rounds) > 0 {
			single.estimate(rounds[len(rounds)-1].runs[demoSingly])
		}
		stop := screen.follow(round)
		err := round.run(ctx, screen.finished)
		stop()
		if err != nil {
			return rounds, err
		}
		rounds = append(rounds, round)
	}
	return rounds, nil
}

// demoEnd is the one line to remember.
func demoEnd(rounds []*demoRound) string {
	last := rounds[len(rounds)-1]
	return fmt.Sprintf("You saw %s leave in %s instead of %s. Yours next: kaizen send",
		plural(last.messages, "message"), seconds(last.runs[demoUnlimited].took), seconds(last.runs[demoSingly].took))
}

func (a *app) demoScreen(paint func(colour, text string) string) *demoScreen {
	s := &demoScreen{out: a.stdout, paint: paint, width: 80}
	terminal, _ := a.lookupEnv("TERM")
	f, ok := a.stdout.(*os.File)
	if !ok || terminal == "dumb" || !isTerminal(f) {
		return s
	}
	s.redraw = true
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.width = width
	}
	return s
}
