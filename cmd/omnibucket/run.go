package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/agents"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/buckets"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/copying"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/gocache"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/reading"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/removing"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/serving"
)

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, env program.Environment) int {
	return runShared(ctx, args, env, nil)
}

// runShared is like run, but for one line of "omnibucket run" if shared is not nil. The line uses the
// open buckets in shared and leaves them open.
func runShared(ctx context.Context, args []string, env program.Environment, shared *program.OpenBuckets) int {
	// If the output fails, it cancels the command.
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := program.New(env, console.NewOutput(env.Out, cancel), shared)
	isLine := shared != nil
	p.InBatch = isLine

	// A line needs no command but its own.
	name := ""
	if isLine {
		name = commandOf(args)
	}

	root := rootWith(p, name)
	// If the arguments were nil, cobra would read those of the process.
	root.SetArgs(append([]string{}, args...))
	root.SetIn(env.In)
	root.SetOut(p.Out)
	root.SetErr(env.Err)

	// An error shows the usage of the command that the arguments name.
	command, err := executeRoot(runCtx, root, args)

	if !isLine {
		err = errors.Join(err, p.Stores.Buckets.Close())
		p.SummarizeRequests()
	}
	p.Out.Flush()

	// After an invalid command line, the flag --json may not have been read.
	if p.Command == nil {
		p.Global.JSON = p.WantsJSON(args)
	}
	return p.ExitCodeFor(ctx, command, err)
}

// executeRoot runs the command that args name, and returns it. If args name no command, it returns root.
func executeRoot(ctx context.Context, root *cobra.Command, args []string) (*cobra.Command, error) {
	if err := checkLeadingFlags(root, args); err != nil {
		return root, err
	}
	return root.ExecuteContextC(ctx)
}

// commands returns a map from the name of each command to its constructor.
func commands() map[string]func(p *program.Program) *cobra.Command {
	return map[string]func(p *program.Program) *cobra.Command{
		"bucket":   buckets.Bucket,
		"cat":      reading.Cat,
		"check":    copying.Check,
		"config":   configCommand,
		"cp":       copying.Cp,
		"diff":     copying.Diff,
		"du":       reading.Du,
		"expire":   removing.Expire,
		"find":     reading.Find,
		"finish":   buckets.Finish,
		"gocache":  gocache.Gocache,
		"hash":     reading.Hash,
		"head":     reading.Head,
		"job":      copying.Job,
		"ls":       reading.Ls,
		"mb":       buckets.Mb,
		"mcp":      func(p *program.Program) *cobra.Command { return agents.Mcp(p, version()) },
		"mv":       copying.Mv,
		"policy":   policyCommand,
		"probe":    probeCommand,
		"rb":       buckets.Rb,
		"repair":   buckets.Repair,
		"restore":  removing.Restore,
		"rewrap":   buckets.Rewrap,
		"rm":       removing.Rm,
		"run":      runCommand,
		"serve":    serving.Serve,
		"sign":     serving.Sign,
		"stat":     reading.Stat,
		"sync":     copying.Sync,
		"tag":      tagCommand,
		"tree":     reading.Tree,
		"undelete": removing.Undelete,
		"version":  versionCommand,
	}
}

// rootCommand returns the root command with all commands.
func rootCommand(p *program.Program) *cobra.Command { return rootWith(p, "") }

// rootWith returns the root command with only the named command, which is enough for a line of
// "omnibucket run". If no command has that name, it adds all commands.
func rootWith(p *program.Program, name string) *cobra.Command {
	root := &cobra.Command{
		Use:   "omnibucket",
		Short: "Copy, list, read, sync, sign and serve the objects of any store",
		Long: `Omnibucket works with the objects of Amazon S3 and compatible stores, Google Cloud
Storage, Azure, local directories and memory.

Locations:
  s3://bucket/key?region=eu-west-1   also gs://bucket/key, azblob://container/key?account=name;
                                     in a key, write "?", "#" and "%" as %3F, %23 and %25
  file:///absolute/directory#key     a directory as a bucket
  name:key                           a name of the configuration, or OMNIBUCKET_NAME has the
                                     address; the key is literal
  ./path                             a file or directory of this machine
  -                                  standard input or output (cp, cat)

A key that is empty or ends in "/" is a folder. Locations never contain credentials:
set each provider's own environment variables, or use its files.

Exit codes:
  0    success
  1    failure
  2    invalid usage or argument
  3    the object, bucket, source file or source directory does not exist, or nothing
       matches wildcards
  4    a condition is not met (--if-absent, --if-revision)
  130  interrupted
  141  the reader of the output closed the pipe`,
		Example: `  omnibucket cp report.pdf 's3://photos/reports/?region=eu-west-1'
  omnibucket ls -l file:///srv/files
  export OMNIBUCKET_PHOTOS='s3://photos?endpoint=https://nyc3.digitaloceanspaces.com'
  omnibucket sync --delete ./public photos:site/`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return p.Prepare(c) },
	}
	// Cobra's own version flag uses package text/template. Without templates, the linker can remove
	// methods that nothing calls, which makes the program much smaller.
	showVersion := root.Flags().Bool("version", false, "print the version of the program")
	root.RunE = func(c *cobra.Command, _ []string) error {
		if !*showVersion {
			return c.Help()
		}
		return printVersion(p)
	}
	root.SetFlagErrorFunc(explainFlag)
	p.Global.Register(root)

	if newCommand, ok := commands()[name]; ok {
		root.CompletionOptions.DisableDefaultCmd = true
		c := newCommand(p)
		root.AddCommand(c)
		addShortFlags(c)
		return root
	}

	// The name is that of help or completion, or of no command at all.
	for name, newCommand := range commands() {
		c := newCommand(p)
		c.SuggestFor = otherNames[name]
		root.AddCommand(c)
		addShortFlags(c)
	}
	addBuildCommands(root)
	root.SetHelpCommand(helpCommand(root))
	completeLocations(p, root)
	prepareScripts(p, root)
	return root
}

// addBuildCommands adds commands that exist only with a build tag.
var addBuildCommands = func(*cobra.Command) {}

// otherNames lists, for each command, the names that it has in other programs. The error for such a
// name suggests the command.
var otherNames = map[string][]string{
	"bucket":  {"versioning", "lifecycle"},
	"cat":     {"less", "more", "tail"},
	"check":   {"cryptcheck", "verify"},
	"cp":      {"copy", "copyto", "copyurl", "download", "get", "put", "upload"},
	"diff":    {"cmp", "compare"},
	"du":      {"size"},
	"expire":  {"ilm", "cleanup"},
	"hash":    {"checksum", "hashsum", "md5sum", "sha1sum", "sha256sum"},
	"ls":      {"dir", "list", "lsd", "lsf", "lsjson", "lsl"},
	"mcp":     {"agent", "model-context-protocol"},
	"mb":      {"create", "create-bucket", "make", "makebucket", "mkdir"},
	"mv":      {"move", "moveto", "rename"},
	"policy":  {"iam", "permissions", "rights"},
	"rb":      {"delete-bucket", "remove-bucket", "removebucket", "rmdir", "rmdirs"},
	"rm":      {"del", "delete", "deletefile", "purge", "remove", "unlink"},
	"serve":   {"http", "server"},
	"sign":    {"link", "presign", "publiclink", "share", "sign-url", "signurl"},
	"stat":    {"attrs", "head-object", "info", "show"},
	"sync":    {"bisync", "mirror", "rsync"},
	"tag":     {"set-tags", "tags"},
	"version": {"about"},
}
