package main

import (
	"context"
	"flag"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/s3command"
)

// s3Flags are the flags of serve that need --s3.
type s3Flags struct {
	s3command.Flags
	names []string
}

func (f *s3Flags) register(c *cobra.Command) {
	set := flag.NewFlagSet("s3", flag.ContinueOnError)
	f.Register(set)
	set.VisitAll(func(g *flag.Flag) { f.names = append(f.names, g.Name) })
	c.Flags().AddGoFlagSet(set)
}

// refuse fails if a flag is set that needs --s3.
func (f *s3Flags) refuse(c *cobra.Command) error {
	for _, name := range f.names {
		if c.Flags().Changed(name) {
			return invalid("--"+name+" must be used with --s3", "")
		}
	}
	return nil
}

func (p *program) serveS3(c *cobra.Command, args []string, f *s3Flags, listen string) error {
	if err := p.notInDryRun(); err != nil {
		return err
	}
	ctx := c.Context()
	var other *pflag.Flag
	c.Flags().Visit(func(set *pflag.Flag) {
		if set.Name != "health" {
			other = set
		}
	})
	switch {
	case f.Health == "" && c.Flags().Changed("health"):
		return invalid("--health must be the URL of a server", "")
	case f.Health != "" && other != nil:
		return invalid("--health must not be used with --"+other.Name, "")
	case f.Health != "":
		return s3command.CheckHealth(ctx, f.Health)
	case c.Flags().Changed("listing"):
		return invalid("--listing must not be used with --s3", "")
	}
	f.Listen = s3command.DefaultListen
	if c.Flags().Changed("listen") {
		f.Listen = listen
	}
	var service storage.ServiceDriver
	if len(args) > 0 {
		var err error
		if service, err = p.serviceDriver(ctx, args[0]); err != nil {
			return err
		}
	}
	return f.Serve(ctx, s3command.Environment{Err: p.err, Lookup: p.lookup, Ready: p.printURL}, service)
}

// serviceDriver opens the account of a location. A path is that of a directory whose
// subdirectories are buckets; it is created.
func (p *program) serviceDriver(ctx context.Context, text string) (storage.ServiceDriver, error) {
	l, err := p.locate(text)
	if err != nil {
		return nil, err
	}
	if l.kind == localPath {
		path, err := filepath.Abs(l.path)
		if err != nil {
			return nil, err
		}
		directory := url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(path), "/"), RawQuery: "create=true"}
		return storage.OpenServiceDriver(ctx, directory.String())
	}
	if l.kind == stream || l.key != "" || l.prefix != "" {
		return nil, invalid("location must be a directory or an account, such as ./data, file:///srv or s3://?region=…", "")
	}
	return storage.OpenServiceDriver(ctx, l.address())
}
