// Package agents has the command mcp, a server of the Model Context Protocol. It lets an agent, which is a program
// that a language model controls, use some operations on the objects of one location.
//
// The server trusts nothing that an agent sends. Each tool has a reference to the bucket that
// permits only the methods which the tool needs.
package agents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// flags are the flags of mcp.
type flags struct {
	allow     []string
	overwrite bool
	maxWrite  string
	listen    string
	domains   []string
}

// Mcp returns the command mcp of a program with this version, which serves the objects of a
// location to AI agents.
func Mcp(p *program.Program, version string) *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "mcp [flags] LOCATION",
		Short: "Give an AI agent tools for the objects of one bucket or folder",
		Long: `Is a server of the Model Context Protocol, on standard input and output, or with --listen over
HTTP. An agent gets the tools of --allow for the objects below the location, and reaches
nothing else. Only a symbolic link in a directory can lead from a prefix= to another
folder of that directory: give the folder itself as the location.

  list     list objects and folders, a page at a time
  stat     read the attributes of an object
  read     read text of an object, at most 256 KiB in one call
  link     sign a URL with which anyone can read one object for at most an hour
  write    store a new object of at most --max-write
  move     give an object another key
  remove   remove one object

By default it can list and read. A write or move only replaces an object if you start the server with
--overwrite. A stranger may have written an object or a name to direct the agent, so allow only what you
would let that stranger do.

With --listen, a client needs a token in the header Authorization, as "Bearer TOKEN". The token is that of
` + tokenVariable + ` or, if it is not set, a new one that is printed to standard error.`,
		Example: `  omnibucket mcp 's3://photos/reports/?region=eu-west-1'
  omnibucket mcp --allow list,stat,read,write ./notes
  omnibucket mcp --listen 127.0.0.1:8090 reports:`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			rules, err := f.rules(c)
			if err != nil {
				return err
			}
			rules.version = strings.TrimPrefix(version, "omnibucket ")
			return serve(c.Context(), p, &f, rules, args[0])
		},
	}

	set := c.Flags()
	set.StringSliceVar(&f.allow, "allow", []string{toolList, toolStat, toolRead}, "offer these `tools`, separated by commas")
	set.BoolVar(&f.overwrite, "overwrite", false, "let write and move replace objects, if a call asks for it")
	set.StringVar(&f.maxWrite, "max-write", "1M", "refuse to write objects above this `size`, which is at most 4M")
	set.StringVar(&f.listen, "listen", "", "serve HTTP on this `address`; port 0 selects a free port")
	set.StringArrayVar(&f.domains, "domain", nil,
		"accept requests for this `name` of a server on a loopback address; repeatable")
	return c
}

// maxMaxWrite is the largest value that --max-write accepts, in bytes.
const maxMaxWrite = 4 << 20

// rules checks the flags, and returns what they permit an agent to do.
func (f *flags) rules(c *cobra.Command) (rules, error) {
	r := rules{overwrite: f.overwrite}

	for _, name := range f.allow {
		if !slices.Contains(toolNames, name) {
			return r, argument.Invalid("--allow must have only "+strings.Join(toolNames, ", "), "")
		}
		if !r.allows(name) {
			r.tools = append(r.tools, name)
		}
	}

	if len(r.tools) == 0 {
		return r, argument.Invalid("--allow must have at least one of "+strings.Join(toolNames, ", "), "")
	}

	var err error
	if r.maxWrite, err = argument.Size("--max-write", f.maxWrite); err != nil {
		return r, err
	}
	if r.maxWrite < 1 || r.maxWrite > maxMaxWrite {
		return r, argument.Invalid("--max-write must be from 1 to 4M", "")
	}

	if f.overwrite && !r.allows(toolWrite) && !r.allows(toolMove) {
		return r, argument.Invalid("--overwrite must be used with --allow write or --allow move", "")
	}
	if c.Flags().Changed("max-write") && !r.allows(toolWrite) {
		return r, argument.Invalid("--max-write must be used with --allow write", "")
	}
	if len(f.domains) > 0 && f.listen == "" {
		return r, argument.Invalid("--domain must be used with --listen", "")
	}
	return r, nil
}

// serve serves the objects of a location to agents, on standard input and output or over HTTP.
func serve(ctx context.Context, p *program.Program, f *flags, r rules, text string) error {
	if err := p.NotInDryRun(); err != nil {
		return err
	}
	if p.InBatch && f.listen == "" {
		return argument.Invalid("mcp must be used with --listen in a file of run", "")
	}

	r.concurrency = p.Global.Concurrency
	if r.concurrency == 0 {
		r.concurrency = defaultConcurrency
	}
	p.Stores.ReadOnly = r.onlyReads()
	bucket, err := open(ctx, p, text)
	if err != nil {
		return err
	}

	if r.allows(toolLink) && !storage.Supports(bucket, storage.SignedURLs) {
		return &storage.Error{
			Code: storage.Unsupported,
			Op:   "mcp",
			Err:  errors.New("this location cannot sign links"),
			Hint: "leave link out of --allow",
		}
	}

	s := newServer(bucket, r, p.PrintError)
	if f.listen != "" {
		return s.serveHTTP(ctx, p, f)
	}

	if err := s.serveLines(ctx, p.Around.In, p.Out); err != nil {
		return err
	}
	// Standard output carries messages, so --requests must print to standard error.
	p.Global.JSON = false
	return nil
}

// open opens the folder that text names, and fails if its bucket does not exist. If the folder cannot be
// listed, it only prints a warning.
func open(ctx context.Context, p *program.Program, text string) (storage.Bucket, error) {
	l, err := p.Stores.LocateServed(text)
	if err != nil {
		return nil, err
	}

	bucket, listErr, err := p.Stores.OpenServed(ctx, l)
	if listErr != nil && ctx.Err() == nil {
		p.PrintError(fmt.Errorf("the server starts, but cannot list its location: %w", listErr))
	}
	return bucket, err
}
