package serving

import (
	"context"
	"flag"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/s3server/cmd/s3server/s3command"
)

// S3Flags has the flags of serve that configure its S3 server.
type S3Flags struct {
	server s3command.Flags
	Names  []string // names of the flags that need --s3
}

// Register adds the flags of the S3 server to c, and notes the names of those that need --s3.
func (f *S3Flags) Register(c *cobra.Command) {
	set := flag.NewFlagSet("s3", flag.ContinueOnError)
	f.server.Register(set)
	set.VisitAll(func(s3Flag *flag.Flag) {
		f.Names = append(f.Names, s3Flag.Name)
	})
	// The flags for hosts do not need --s3.
	f.server.RegisterHosts(set)
	c.Flags().AddGoFlagSet(set)
}

// refuseAll fails if a flag is set that needs --s3. It is called if --s3 is not set.
func (f *S3Flags) refuseAll(c *cobra.Command) error {
	for _, name := range f.Names {
		if c.Flags().Changed(name) {
			return argument.Invalid("--"+name+" must be used with --s3", "")
		}
	}
	return nil
}

// serveS3 runs an S3 server in front of a location until the context of c is done. With --health, it
// only checks whether such a server runs.
func serveS3(p *program.Program, c *cobra.Command, args []string, f *S3Flags, listen string) error {
	if err := p.NotInDryRun(); err != nil {
		return err
	}

	ctx := c.Context()
	if c.Flags().Changed("health") {
		return checkHealth(ctx, c.Flags(), f.server.Health)
	}
	if c.Flags().Changed("listing") {
		return argument.Invalid("--listing must not be used with --s3", "")
	}

	f.server.Listen = s3command.DefaultListen
	if c.Flags().Changed("listen") {
		f.server.Listen = listen
	}
	needsLocation := p.Stores.CacheDir != "" || p.Stores.ReadOnly
	if len(args) == 0 && needsLocation {
		return argument.Invalid("--cache and --read-only must be used with a location", "")
	}

	// Without a location, the server keeps its objects in memory.
	var service driver.ServiceDriver
	if len(args) > 0 {
		var err error
		if service, err = openAccount(ctx, p, args[0]); err != nil {
			return err
		}
	}

	return f.server.Serve(
		ctx,
		s3command.Environment{Err: p.Around.Err, Lookup: p.Around.Lookup, Ready: p.PrintURL},
		service,
	)
}

// checkHealth fails if no S3 server runs at the URL of --health, or if any other flag is set.
func checkHealth(ctx context.Context, flags *pflag.FlagSet, server string) error {
	if server == "" {
		return argument.Invalid("--health must be the URL of a server", "")
	}
	otherFlag := ""
	flags.Visit(func(flag *pflag.Flag) {
		if flag.Name != "health" {
			otherFlag = flag.Name
		}
	})
	if otherFlag != "" {
		return argument.Invalid("--health must not be used with --"+otherFlag, "")
	}
	return s3command.CheckHealth(ctx, server)
}

// openAccount opens the account that text names. If text names a bucket, the account has only that
// bucket. If it names a directory, which is created if it is missing, its subdirectories are the
// buckets.
func openAccount(ctx context.Context, p *program.Program, text string) (driver.ServiceDriver, error) {
	l, err := p.Stores.Locate(text)
	if err != nil {
		return nil, err
	}
	address, bucket, err := servedAccount(p, l)
	if err != nil {
		return nil, err
	}
	layers, err := p.Stores.Layers(ctx, l)
	if err != nil {
		return nil, err
	}

	service, err := engine.OpenServiceDriver(ctx, address)
	if err != nil {
		return nil, err
	}
	// A location that is one bucket shows no other bucket of its account.
	if bucket != "" {
		service = oneBucketService{ServiceDriver: service, name: bucket}
	}
	service = driver.ServiceWithLayers(service, layers...)
	if p.Stores.IsReadOnly(l) {
		service = readOnly(service)
	}
	return service, nil
}

// servedAccount returns the address of the account that serve offers for l, and the name of the
// bucket if it offers only one. A directory is an account, unless l has a layer of two stores, such
// as mirror, which makes it one bucket.
func servedAccount(p *program.Program, l location.Location) (address, bucket string, err error) {
	if l.Kind == location.LocalPath {
		address, err = addressOfDirectory(l.Path)
		return address, "", err
	}

	if l.Kind == location.Stream || l.Key != "" || l.Prefix != "" {
		return "", "", argument.Invalid(
			"location must be a directory, a bucket or an account, such as ./data, s3://photos?region=… or s3://?region=…",
			"",
		)
	}

	if l.Kind == location.Account {
		return l.Address(), "", nil
	}
	isDirectory := l.Scheme == "file"
	if isDirectory && !p.Stores.HasTwoStores(l) {
		return l.Address(), "", nil
	}
	// Offer only this bucket of the account.
	return l.SplitAccount()
}

// addressOfDirectory returns the address of an account whose buckets are the subdirectories of path.
func addressOfDirectory(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	// The path of a URL begins with a slash, also on Windows.
	directory := url.URL{
		Scheme:   "file",
		Path:     "/" + strings.TrimPrefix(filepath.ToSlash(absolute), "/"),
		RawQuery: "create=true",
	}
	return directory.String(), nil
}
