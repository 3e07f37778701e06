package program

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/config"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// globalFlags are the flags that every command has. The environment and the configuration file can
// set them, too.
type globalFlags struct {
	DryRun, JSON, Verbose, quiet, noProgress, requests bool

	Concurrency int // 0 means the command's default
	bwlimit     string
	timeout     time.Duration // 0 means the library's timeout
	retries     int           // used only if the flag is given

	Endpoint, Region, Profile, awsProfile string

	config string // the path of the configuration file
}

// Register adds the flags to the root command.
func (f *globalFlags) Register(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.BoolVar(&f.DryRun, "dry-run", false, "print changes without making them")
	flags.BoolVar(&f.JSON, "json", false, "print a JSON object in each line")
	flags.BoolVarP(&f.Verbose, "verbose", "v", false,
		"print each change, and in errors request ids and all that the server says")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no progress, summaries or notes")
	flags.BoolVar(&f.noProgress, "no-progress", false, "show no progress on a terminal")

	flags.BoolVar(
		&f.requests, "requests", false,
		"print at the end how many requests were made and bytes moved, as providers bill them",
	)
	flags.IntVar(&f.Concurrency, "concurrency", 0, "`number` of parallel requests (default: as many as help)")
	flags.StringVar(
		&f.bwlimit, "bwlimit", "",
		"bytes a second, such as 10M, or a `timetable`, such as \"08:00,512K 19:00,off\"",
	)
	flags.DurationVar(
		&f.timeout, "timeout", 0,
		"give a request up, or try it again, after this `duration` of silence (default 30s)",
	)
	flags.IntVar(
		&f.retries, "retries", 4,
		"how many `times` a failed request is tried again; by default more if a store throttles",
	)

	flags.StringVar(&f.Endpoint, "endpoint", "", "`URL` of the server, for addresses without endpoint=")
	flags.StringVar(&f.Region, "region", "", "`region`, for addresses without region=")
	flags.StringVar(
		&f.Profile, "profile", "",
		"`name` of the kind of S3 server, such as minio, for addresses without profile=",
	)
	flags.StringVar(&f.awsProfile, "aws-profile", "", "`name` of the credentials in the files of AWS")
	flags.StringVar(&f.config, "config", "", "`file` of named locations and settings")
}

// IsSetting reports whether the environment and the configuration file may set the global flag name.
func IsSetting(name string) bool {
	switch name {
	case "config", "dry-run", "help", "version":
		return false
	}
	return true
}

// Settings calls visit for each global flag that the environment and the configuration file may set.
func Settings(root *cobra.Command, visit func(*pflag.Flag)) {
	root.PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if IsSetting(flag.Name) {
			visit(flag)
		}
	})
}

// Prepare reads the configuration before a command runs. A flag that was not given gets its value from
// the environment or else from the configuration file.
func (p *Program) Prepare(c *cobra.Command) error {
	p.Command = c

	// These commands may use a store in memory: a server keeps it until it stops, and sign needs no object in it.
	switch c.Name() {
	case "mcp", "serve", "sign":
		p.Stores.isTemporary = false
	}

	if err := p.LoadConfig(); err != nil && needsConfig(c) {
		return err
	}

	err := p.applyAndCheck(c)
	// An invalid setting does not end the commands that can show or remove it, such as "config unset".
	canRepair := isConfigCommand(c) && c.Name() != "set"
	if err != nil && !canRepair {
		return err
	}
	return nil
}

// applyAndCheck sets the flags that were not given, and checks all global flags.
func (p *Program) applyAndCheck(c *cobra.Command) error {
	if err := p.applySettings(c); err != nil {
		return err
	}
	return p.CheckGlobals(c)
}

// applySettings sets each global flag that was not given to its value in the environment or the
// configuration file. It returns the first error.
func (p *Program) applySettings(c *cobra.Command) error {
	var firstErr error
	Settings(c.Root(), func(flag *pflag.Flag) {
		// The command may have a flag of its own with this name.
		isShadowed := c.Flags().Lookup(flag.Name) != flag
		if firstErr != nil || flag.Changed || isShadowed {
			return
		}
		firstErr = p.applySetting(flag)
	})
	return firstErr
}

// applySetting sets a flag to its value in the environment or else in the configuration file. An empty
// value counts as none.
func (p *Program) applySetting(flag *pflag.Flag) error {
	source := config.SettingVariable(flag.Name)
	value, _ := p.Around.Lookup(source)
	if value == "" {
		source = flag.Name + " in " + p.ConfigFile()
		value = p.Stores.Config.Settings[flag.Name]
	}
	if value == "" {
		return nil
	}
	if err := flag.Value.Set(value); err != nil {
		return argument.Invalid(
			source+" must be a valid value of --"+flag.Name,
			"write it as after the flag; \"omnibucket help\" describes it",
		)
	}
	flag.Changed = true
	return nil
}

// needsConfig reports whether a command needs a valid configuration. Those that only print facts about the program do
// not.
func needsConfig(c *cobra.Command) bool {
	if !c.HasParent() || c.Parent().Name() == "completion" {
		return false
	}
	switch c.Name() {
	case "version", "help", "completion":
		return false
	}
	return true
}

// CheckGlobals checks the global flags, and sets up what they configure for all buckets.
func (p *Program) CheckGlobals(c *cobra.Command) error {
	f := &p.Global
	if f.Concurrency < 1 && c.Flag("concurrency").Changed {
		return argument.Invalid("--concurrency must be at least 1", "")
	}
	if err := p.checkRetries(c); err != nil {
		return err
	}
	if f.Verbose && f.quiet {
		return argument.Invalid("--verbose and --quiet must not be used together", "")
	}

	// Apply --requests, --bwlimit and --aws-profile.
	p.Stores.startMeter()
	if err := p.Stores.startLimit(); err != nil {
		return err
	}
	return p.selectCredentials()
}

// checkRetries checks --timeout and --retries, and sets the retry policy of all buckets.
func (p *Program) checkRetries(c *cobra.Command) error {
	f := &p.Global
	if f.timeout <= 0 && c.Flag("timeout").Changed {
		return argument.Invalid("--timeout must be positive", "write it as 30s or 2m")
	}
	p.Stores.retry = storage.RetryPolicy{Stall: f.timeout}

	if !c.Flag("retries").Changed {
		return nil
	}
	if f.retries < 0 || f.retries > 1000 {
		return argument.Invalid("--retries must be from 0 to 1000", "")
	}
	p.Stores.retry.Attempts = f.retries + 1
	return nil
}

// withParameters returns the location with the global flags as parameters of its address. Parameters
// that the address already has stay as they are.
func (f *globalFlags) withParameters(l location.Location) location.Location {
	if l.Kind != location.InBucket && l.Kind != location.Account {
		return l
	}
	hasServer := l.Scheme == "s3" || l.Scheme == "gs" || l.Scheme == "azblob"
	if hasServer && f.Endpoint != "" {
		l = l.WithDefault("endpoint", f.Endpoint)
	}
	if l.Scheme == "s3" && f.Region != "" {
		l = l.WithDefault("region", f.Region)
	}
	if l.Scheme == "s3" && f.Profile != "" {
		l = l.WithDefault("profile", f.Profile)
	}
	return l
}

// HumanFlag registers --human, which prints sizes with units. Its short form is -h, as in the du
// and ls of Unix. So --help has no short form.
func HumanFlag(c *cobra.Command, human *bool, usage string) {
	c.Flags().BoolVarP(human, "human", "h", false, usage)
	c.Flags().Bool("help", false, "help for "+c.Name())
}
