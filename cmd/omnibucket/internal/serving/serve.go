// Package serving has the commands that give others access: serve and sign.
package serving

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/httpserver"
	"github.com/omnibucket/storage/internal/s3command"
	"github.com/omnibucket/storage/serve"
)

// defaultMount is the path for signed URLs of a local or memory bucket whose address
// has no signing_base_url.
const defaultMount = "/.signed/"

// Serve returns the command serve.
func Serve(p *program.Program) *cobra.Command {
	var listen string
	var listing, asS3 bool
	var s3 S3Flags
	c := &cobra.Command{
		Use:   "serve [flags] ADDRESS | serve --s3 [flags] [LOCATION]",
		Short: "Serve the objects of a bucket or folder over HTTP, or any store as an S3 server",
		Long: `Serves the objects of a bucket or folder as files over HTTP until it is interrupted.
Everybody who can connect to the address of --listen can read them. For file: and mem:
buckets, signed URLs are served under /.signed, or under the path of signing_base_url=
in the bucket's address. Only signed URLs can write. If it listens on this machine only, as it does by
default, URLs of files must have an IP address, localhost, the name of the machine or one of --domain: pages
of other sites in a browser could read the files otherwise.

With --s3 it is an S3 server for tests and development. It keeps everything in memory, in a
directory (LOCATION is a path), or, as a preview, in another store (LOCATION is an account, such as
gs://?project=…, or one bucket). Its URL is printed when it accepts requests. Clients must sign with the credentials in the environment:
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or MINIO_ROOT_USER and MINIO_ROOT_PASSWORD,
which come first. Without any, it generates credentials and prints them to standard error.
Unsigned requests for /healthz are answered while it runs.

A named location has the layers of the configuration in front of it. --cache and --read-only add to them, and
--bwlimit limits the traffic with the store.`,
		Example: `  omnibucket serve --listing file:///srv/files
  omnibucket serve --listen 127.0.0.1:0 's3://site/public?region=eu-west-1'
  omnibucket serve --s3 --create photos --access-log -
  omnibucket serve --s3 ./data
  omnibucket serve --s3 --cache /var/cache/s3 --read-only reports:
  omnibucket serve --s3 --tls --ca-file ca.pem
  omnibucket serve --health http://127.0.0.1:9000`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case c.Flags().Changed("health"):
				return cobra.NoArgs(c, args)
			case asS3:
				return cobra.MaximumNArgs(1)(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			if p.Stores.CacheDir != "" {
				if p.Stores.CacheDir, err = filepath.Abs(p.Stores.CacheDir); err != nil {
					return err
				}
			}
			if asS3 || c.Flags().Changed("health") {
				return serveS3(p, c, args, &s3, listen)
			}
			if err := s3.refuse(c); err != nil {
				return err
			}
			return serveLocation(c.Context(), p, args[0], listen, listing, s3.server.Hosts())
		},
	}
	c.Flags().StringVar(
		&listen, "listen", "127.0.0.1:8080",
		"listen on this `address`, with --s3 by default on "+s3command.DefaultListen+"; port 0 selects a free port",
	)
	c.Flags().BoolVar(&listing, "listing", false, "list the content of folders without an index.html")
	c.Flags().BoolVar(&asS3, "s3", false, "be an S3 server")
	c.Flags().StringVar(
		&p.Stores.CacheDir, "cache", "",
		"keep blocks that were read in this `directory`, encrypted if the location is",
	)
	c.Flags().BoolVar(&p.Stores.ReadOnly, "read-only", false, "refuse all changes")
	s3.Register(c)
	return c
}

func serveLocation(ctx context.Context, p *program.Program, text, listen string, listing bool, names []string) error {
	l, err := p.Stores.LocateInBucket(text)
	if err == nil && l.Path != "" {
		l, err = l.InDirectory(l.Path, "")
	}
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	base := "http://" + httpserver.ReachableAddress(listener.Addr())
	guard := func(files http.Handler) http.Handler { return httpserver.Guard(listener.Addr(), names, files) }
	handler, err := handler(ctx, p, l, base, listing, guard)
	if err != nil {
		return err
	}
	printURL(p, base+"/")
	return httpserver.Serve(ctx, listener, handler)
}

// printURL prints the URL of a server that accepts requests.
func printURL(p *program.Program, url string) {
	if p.Global.JSON {
		_ = p.Out.JSON(ServingLine{"serving", url}) // p.out keeps the error
	} else {
		p.Out.Printf("%s\n", url)
	}
	p.Out.Flush()
}

// A ServingLine has the URL of a server in JSON.
type ServingLine struct {
	Event string `json:"event"` // "serving"
	URL   string `json:"url"`
}

// handler serves the folder as files. If the bucket has no server of its own, it also
// serves signed URLs. The files are behind guard.
func handler(
	ctx context.Context, p *program.Program, l location.Location, base string, listing bool,
	guard func(http.Handler) http.Handler,
) (http.Handler, error) {
	var opts []storage.OpenOption
	mount := ""
	if l.Scheme == "file" || l.Scheme == "mem" {
		var own bool
		if mount, own = signingMount(l); !own {
			opts = append(opts, storage.WithSigningBaseURL(base+mount))
		}
	}
	bucket, err := p.Stores.Open(ctx, l, opts...)
	if err != nil {
		return nil, err
	}
	files, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return nil, err
	}
	for _, err := range files.List(ctx, storage.WithAnyOrder(), storage.WithLimit(1)) {
		switch storage.CodeOf(err) { // without permission to list, objects may still be readable
		case storage.BucketNotFound, storage.InvalidArgument:
			return nil, err
		}
	}
	var serving []serve.Option
	if listing {
		serving = append(serving, serve.WithListing(files))
	}
	all := guard(serve.FileServer(files, serving...))
	if mount == "" || l.Prefix != "" { // the handler of signed URLs needs a whole bucket
		return all, nil
	}
	signed := serve.NewHandler(bucket)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, mount) {
			signed.ServeHTTP(w, r)
			return
		}
		all.ServeHTTP(w, r)
	}), nil
}

// signingMount returns the path of signed URLs, and whether the bucket's address sets
// it. The path is "" if it would leave no room for files.
func signingMount(l location.Location) (path string, own bool) {
	query, _ := url.ParseQuery(l.Query) // storage.Open refuses what is malformed
	if !query.Has("signing_base_url") {
		return defaultMount, false
	}
	u, err := url.Parse(query.Get("signing_base_url"))
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return "", true
	}
	return "/" + strings.Trim(u.Path, "/") + "/", true
}
