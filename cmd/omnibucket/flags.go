package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
)

// globalFlags are the flags of every command. The environment and the configuration file
// may set them, too.
type globalFlags struct {
	dryRun, json, verbose, quiet, noProgress bool

	concurrency int // 0: as many as help
	bwlimit     string
	timeout     time.Duration // 0: the library's
	retries     int           // used if the flag is given

	endpoint, region, profile, awsProfile string

	config string // the path of the configuration file
}

// flagVariable begins the names of environment variables that set flags:
// OMNIBUCKET_FLAG_BWLIMIT sets --bwlimit. No location has such a name.
const flagVariable = "OMNIBUCKET_FLAG_"

// configVariable has the path of the configuration file.
const configVariable = "OMNIBUCKET_CONFIG"

func (f *globalFlags) register(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "print changes without making them")
	flags.BoolVar(&f.json, "json", false, "print a JSON object in each line")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print each change, and in errors request ids and all that the server says")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no progress, summaries or notes")
	flags.BoolVar(&f.noProgress, "no-progress", false, "show no progress on a terminal")
	flags.IntVar(&f.concurrency, "concurrency", 0, "`number` of parallel requests (default: as many as help)")
	flags.StringVar(&f.bwlimit, "bwlimit", "", "bytes a second, such as 10M, or a `timetable`, such as \"08:00,512K 19:00,off\"")
	flags.DurationVar(&f.timeout, "timeout", 0, "give a request up, or try it again, after this `duration` of silence (default 30s)")
	flags.IntVar(&f.retries, "retries", 4, "how many `times` a failed request is tried again; by default more if a store throttles")
	flags.StringVar(&f.endpoint, "endpoint", "", "`URL` of the server, for addresses without endpoint=")
	flags.StringVar(&f.region, "region", "", "`region`, for addresses without region=")
	flags.StringVar(&f.profile, "profile", "", "`name` of the kind of S3 server, such as minio, for addresses without profile=")
	flags.StringVar(&f.awsProfile, "aws-profile", "", "`name` of the credentials in the files of AWS")
	flags.StringVar(&f.config, "config", "", "`file` of named locations and settings")
}

// isSetting reports whether the environment and the configuration file may set a flag.
func isSetting(name string) bool {
	switch name {
	case "config", "dry-run", "help", "version":
		return false
	}
	return true
}

// settings calls visit for each flag that the environment and the file may set.
func settings(root *cobra.Command, visit func(*pflag.Flag)) {
	root.PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if isSetting(flag.Name) {
			visit(flag)
		}
	})
}

// settingVariable returns the environment variable that sets a flag.
func settingVariable(flag string) string {
	return flagVariable + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// prepare reads the configuration before a command runs: flags that are not given come
// from the environment, and then from the file.
func (p *program) prepare(c *cobra.Command) error {
	p.command = c
	if err := p.loadConfig(); err != nil && needsConfig(c) {
		return err
	}
	var failed error
	settings(c.Root(), func(flag *pflag.Flag) {
		if failed != nil || flag.Changed || c.Flags().Lookup(flag.Name) != flag {
			return
		}
		source := settingVariable(flag.Name)
		value, set := p.lookup(source)
		if !set || value == "" {
			source = flag.Name + " in " + p.configFile()
			value, set = p.config.Settings[flag.Name]
		}
		if !set || value == "" {
			return
		}
		if err := flag.Value.Set(value); err != nil {
			failed = invalid(source+" must be a valid value of --"+flag.Name, "write it as after the flag; \"omnibucket help\" describes it")
			return
		}
		flag.Changed = true
	})
	if failed == nil {
		failed = p.checkGlobals(c)
	}
	if parent := c.Parent(); failed != nil && parent != nil && parent.Name() == "config" && c.Name() != "set" {
		return nil // "config unset" removes what is invalid
	}
	return failed
}

// needsConfig reports whether a command needs a valid configuration. These only print what the
// program is.
func needsConfig(c *cobra.Command) bool {
	if c.HasParent() && c.Parent().Name() == "completion" {
		return false
	}
	return c.HasParent() && !slices.Contains([]string{"version", "help", "completion"}, c.Name())
}

func (p *program) checkGlobals(c *cobra.Command) error {
	f := &p.global
	if f.concurrency < 1 && c.Flag("concurrency").Changed {
		return invalid("--concurrency must be at least 1", "")
	}
	if err := p.checkRetries(c); err != nil {
		return err
	}
	if f.verbose && f.quiet {
		return invalid("--verbose and --quiet must not be used together", "")
	}
	if err := p.startLimit(); err != nil {
		return err
	}
	return p.selectCredentials()
}

// checkRetries checks --timeout and --retries, and makes the policy of every bucket.
func (p *program) checkRetries(c *cobra.Command) error {
	f := &p.global
	if f.timeout <= 0 && c.Flag("timeout").Changed {
		return invalid("--timeout must be positive", "write it as 30s or 2m")
	}
	p.retry = storage.RetryPolicy{Stall: f.timeout}
	if !c.Flag("retries").Changed {
		return nil
	}
	if f.retries < 0 || f.retries > 1000 {
		return invalid("--retries must be from 0 to 1000", "")
	}
	p.retry.Attempts = f.retries + 1
	return nil
}

// withParameters returns a location with the parameters of the flags that its address does
// not have.
func (f *globalFlags) withParameters(l location) location {
	if l.kind != inBucket && l.kind != account {
		return l
	}
	for _, parameter := range []struct {
		name, value string
		schemes     string
	}{
		{"endpoint", f.endpoint, "s3 gs azblob"}, {"region", f.region, "s3"}, {"profile", f.profile, "s3"},
	} {
		if parameter.value != "" && strings.Contains(" "+parameter.schemes+" ", " "+l.scheme+" ") {
			l = l.withDefault(parameter.name, parameter.value)
		}
	}
	return l
}
