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
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/s3server/cmd/s3server/s3command"
	"github.com/omnibucket/storage/serve"
)

// defaultMount is the path at which signed URLs are served. It is used for a local or memory bucket
// without signing_base_url in its address.
const defaultMount = "/.signed/"

// Serve returns the command serve.
func Serve(p *program.Program) *cobra.Command {
	var listen string
	var listing, asS3 bool
	var s3 S3Flags
	var ui uiFlags
	c := &cobra.Command{
		Use: "serve [flags] LOCATION | serve --ui [flags] LOCATION | serve --s3 [flags] [LOCATION]",
		Short: "Serve a bucket or folder over HTTP, as files or with a page to look into it, or any store as an " +
			"S3 server",
		Long: `Serves the objects of a bucket or folder as files over HTTP until it is interrupted.
Everybody who can connect to the address of --listen can read them. For file: and mem:
buckets, signed URLs are served under /.signed, or under the path of signing_base_url=
in the bucket's address. Only signed URLs can write. If it listens on this machine only, as it does by
default, URLs of files must have an IP address, localhost, the name of the machine or one of --domain: pages
of other sites in a browser could read the files otherwise.

With --ui it serves a page with which people look into the bucket or folder: folders, previews, details, versions, and
links for others. With --write, they can upload, rename, remove and restore, too. The printed address has a token:
everybody who knows the address can use the page, and nobody else.

With --s3 it is an S3 server for tests and development. It keeps everything in memory, in a
directory (LOCATION is a path), or, as a preview, in another store (LOCATION is an account, such as
gs://?project=…, or one bucket). Its URL is printed when it accepts requests. Clients must sign with the credentials in the environment:
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or MINIO_ROOT_USER and MINIO_ROOT_PASSWORD,
which come first. Without any, it generates credentials and prints them to standard error.
Unsigned requests for /healthz are answered while it runs.

A named location has the layers of the configuration in front of it. --cache and --read-only add to them, and
--bwlimit limits the traffic with the store.`,
		Example: `  omnibucket serve --listing file:///srv/files
  omnibucket serve --ui ./photos
  omnibucket serve --ui --write 's3://photos?region=eu-west-1&versions=true'
  omnibucket serve --listen 127.0.0.1:0 's3://site/public?region=eu-west-1'
  omnibucket serve --s3 --create photos --access-log -
  omnibucket serve --s3 ./data
  omnibucket serve --s3 --cache /var/cache/s3 --read-only reports:
  omnibucket serve --s3 --tls --ca-file ca.pem
  omnibucket serve --health http://127.0.0.1:9000`,
		Args: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("health") {
				return cobra.NoArgs(c, args)
			}
			if asS3 {
				return cobra.MaximumNArgs(1)(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := ui.check(c); err != nil {
				return err
			}
			if p.Stores.CacheDir != "" {
				if p.Stores.CacheDir, err = filepath.Abs(p.Stores.CacheDir); err != nil {
					return err
				}
			}
			if asS3 || c.Flags().Changed("health") {
				return serveS3(p, c, args, &s3, listen)
			}
			if err := s3.refuseAll(c); err != nil {
				return err
			}
			if ui.ui {
				return serveUI(c.Context(), p, args[0], listen, ui.write, s3.server.Hosts())
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
	ui.register(c)
	s3.Register(c)
	return c
}

// serveLocation serves the objects of a location as files until ctx is done.
func serveLocation(ctx context.Context, p *program.Program, text, listen string, listing bool, names []string) error {
	l, err := p.Stores.LocateServed(text)
	if err != nil {
		return err
	}

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	defer listener.Close()

	base := "http://" + webserver.ReachableAddress(listener.Addr())
	guard := func(files http.Handler) http.Handler {
		return webserver.Guard(listener.Addr(), names, files)
	}
	handler, err := newHandler(ctx, p, l, base, listing, guard)
	if err != nil {
		return err
	}
	p.PrintURL(base + "/")
	return webserver.Serve(ctx, listener, handler)
}

// newHandler returns a handler that serves a folder as files at the URL base, behind the checks that guard adds. If the
// store has no server for signed URLs, the handler also serves those. They need no guard, because it checks their signatures.
func newHandler(
	ctx context.Context, p *program.Program, l location.Location, base string, listing bool,
	guard func(http.Handler) http.Handler,
) (http.Handler, error) {
	bucket, mount, _, err := openSigning(ctx, p, l, base)
	if err != nil {
		return nil, err
	}
	// A folder that cannot be listed may still be readable, so the second result is ignored.
	files, _, err := p.Stores.OpenServed(ctx, l)
	if err != nil {
		return nil, err
	}

	var opts []serve.Option
	if listing {
		opts = append(opts, serve.WithListing(files))
	}
	fileServer := guard(serve.FileServer(files, opts...))

	// Signed URLs need the whole bucket, not a folder.
	isWholeBucket := l.Prefix == ""
	if mount == "" || !isWholeBucket {
		return fileServer, nil
	}
	return routeMount(mount, serve.NewHandler(bucket), fileServer), nil
}

// routeMount returns a handler that passes requests for paths that begin with mount to signed, and all
// others to rest.
func routeMount(mount string, signed, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, mount) {
			signed.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// openSigning opens a bucket that can sign URLs.
//
// A local directory and memory have no server, so this program must serve their signed URLs, below the
// path mount. mount is "" if it need not. The URLs begin with base, the URL of this program, unless
// isOwn is true: the bucket's URLs then begin with that of its own server or of its signing_base_url.
func openSigning(
	ctx context.Context, p *program.Program, l location.Location, base string, opts ...storage.OpenOption,
) (bucket storage.Bucket, mount string, isOwn bool, err error) {
	hasNoServer := l.Scheme == "file" || l.Scheme == "mem"
	isOwn = true
	if hasNoServer {
		mount, isOwn = signingMount(l)
	}
	if !isOwn {
		opts = append(opts, storage.WithSigningBaseURL(base+mount))
	}
	bucket, err = p.Stores.Open(ctx, l, opts...)
	return bucket, mount, isOwn, err
}

// signingMount returns the path below which this program serves signed URLs, and whether it is that
// of the signing_base_url in the bucket's address. The path is "" if that URL has none: no signed
// URLs are served then, because the root is for files.
func signingMount(l location.Location) (path string, isOwn bool) {
	// storage.Open refuses a malformed query.
	query, _ := url.ParseQuery(l.Query)
	if !query.Has("signing_base_url") {
		return defaultMount, false
	}
	u, err := url.Parse(query.Get("signing_base_url"))
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return "", true
	}
	return "/" + strings.Trim(u.Path, "/") + "/", true
}
