package main

import (
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choices are the values of flags that take one of a few, by the flag's name.
func choices() map[string][]string {
	return map[string][]string{
		"dsn":             {"never", "success", "failure", "delay"},
		"importance":      {"high", "normal", "low"},
		"priority":        {"urgent", "high", "normal", "bulk"},
		"durability":      {"disk", "memory"},
		"state":           {"waiting", "finished", "queued", "active", "held", "sent", "failed", "expired", "cancelled"},
		"format":          {"csv", "jsonl"},
		"flow":            {"code", "device", "client-credentials", "service-account"},
		"level":           {"auto", "lock-step", "group", "look-ahead"},
		"tls":             {"none", "starttls", "implicit"},
		"auth-mechanisms": {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"},
		"extensions":      append(smtptest.DefaultExtensions(), "none"),
		"profile":         smtptest.Profiles(),
		"server":          {"smtps://", "smtp://", "lmtp://"},
		"proxy":           {"socks5://", "http://", "https://", "environment"},
		"tls-min":         {"1.2", "1.3", "1.1", "1.0"},
		"provider":        providerNames(),
	}
}

// behindChain are the names that can follow in a chain that was begun.
func behindChain(begun string, names []cobra.Completion) []cobra.Completion {
	at := strings.LastIndexByte(begun, '>') + 1
	if at == 0 {
		return names
	}
	used := strings.Split(begun[:at], ">")
	var chains []cobra.Completion
	for _, name := range names {
		if only, _, _ := strings.Cut(name, "\t"); !slices.Contains(used, only) {
			chains = append(chains, begun[:at]+name)
		}
	}
	return chains
}

func providerNames() []string {
	var names []string
	for _, p := range accounts.Presets() {
		names = append(names, cobra.CompletionWithDesc(p.Name, p.Title))
	}
	return names
}

// unfinished are flags whose value goes on behind a choice.
var unfinished = []string{"server", "proxy", "dsn", "state", "auth-mechanisms", "extensions"}

// fileFlags name files and folders; all others are not completed with them.
var fileFlags = []string{"password-file", "ca", "client-cert", "client-key", "proxy-password-file", "client-secret-file", "text", "html", "attach", "inline", "calendar", "raw", "rows",
	"journal", "results", "cert", "key", "key-file", "write-ca", "save", "output"}

// folderFlags name folders.
var folderFlags = []string{"template", "preview", "save", "state-dir", "dir"}

// completeFlags tells the shell what the flags of c, and of all commands below,
// can be.
func completeFlags(app *app, c *cobra.Command) {
	known := choices()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Value.Type() == "bool":
			return
		case f.Name == "account" || f.Name == "to-account":
			must(c.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
				return behindChain(begun, app.accountNames()), cobra.ShellCompDirectiveNoFileComp
			}))
		case known[f.Name] != nil:
			directive := cobra.ShellCompDirectiveNoFileComp
			if slices.Contains(unfinished, f.Name) {
				directive |= cobra.ShellCompDirectiveNoSpace
			}
			must(c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(known[f.Name], directive)))
		case slices.Contains(folderFlags, f.Name):
			must(c.MarkFlagDirname(f.Name))
		case !slices.Contains(fileFlags, f.Name):
			must(c.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions))
		}
	})
	if c.ValidArgsFunction == nil && c.Args != nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, child := range c.Commands() {
		completeFlags(app, child)
	}
}

// must is for what fails only if a flag is completed twice, or does not exist.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
