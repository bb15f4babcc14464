package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersionCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(app.stdout, programVersion().line())
			return err
		},
	}
}

// version is what the Go toolchain recorded in the program.
type version struct {
	module   string // a tag, a pseudo-version, or (devel)
	revision string // the commit, if built in a checkout
	modified bool   // with uncommitted changes
}

func programVersion() version {
	v := version{module: "(devel)"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.module = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.revision = s.Value
		case "vcs.modified":
			v.modified = s.Value == "true"
		}
	}
	return v
}

// line is the version as people quote it in a report.
func (v version) line() string {
	var b strings.Builder
	b.WriteString("kaizen " + v.module)
	if v.revision != "" {
		b.WriteString(" (commit " + v.revision[:min(12, len(v.revision))])
		if v.modified {
			b.WriteString(", modified")
		}
		b.WriteString(")")
	}
	fmt.Fprintf(&b, " %s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return b.String()
}
