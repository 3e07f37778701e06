package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
)

// A site has the page, its API and its bucket.
type site struct {
	name   string // name of the bucket, which the page shows
	bucket storage.Bucket
	server *serve.Server // serves the signed URLs of a directory or of memory; nil for a cloud provider
	// Browsers upload files to incoming. After a check, they are copied to images. Files in
	// incoming are never shown, and sweep removes all of them after some time.
	incoming storage.Bucket
	images   storage.Bucket
	public   bool
	large    *uploads.Service

	storeOrigins []string // origins of the store, to which the page connects
	corsNote     string   // what addCORSRule has done, for the output
	now          func() time.Time
}

// open opens the bucket of the settings, prepares it for uploads by browsers, and returns a site
// that uses it.
func open(ctx context.Context, set settings) (_ *site, err error) {
	s := &site{name: withoutQuery(set.bucket), public: set.public, now: time.Now}
	account, bucket, err := accountOf(set.bucket)
	if err != nil {
		return nil, err
	}

	if set.create {
		if err := createBucket(ctx, account, bucket); err != nil {
			return nil, err
		}
	}

	if err := s.openBucket(ctx, set); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()

	if s.public && !storage.Supports(s.bucket, storage.ObjectACLs) {
		return nil, errors.New(
			"-public: this store makes no single objects public; make the bucket public there, and open it with public=true in its address",
		)
	}

	s.incoming = storage.Prefixed(s.bucket, "incoming/")
	s.images = storage.Prefixed(s.bucket, "images/")
	if err := s.openLarge(); err != nil {
		return nil, err
	}

	// The CORS rule must permit the headers that the page will send.
	headers, err := s.probe(ctx)
	if err != nil {
		return nil, err
	}

	if !set.setCORS {
		s.corsNote = "left as it is"
		return s, nil
	}
	s.corsNote, err = addCORSRule(ctx, account, bucket, set.origins, headers)
	return s, err
}

// openBucket opens a bucket. If the bucket is on this machine, openBucket also starts a server that
// takes the place of a cloud provider. The server has its own port, so that its origin differs from
// the page's origin.
func (s *site) openBucket(ctx context.Context, set settings) error {
	var opts []storage.OpenOption
	if set.public {
		opts = append(opts, storage.WithPublicAccess(true))
	}
	u, err := url.Parse(set.bucket)
	if err != nil {
		return err
	}
	isLocal := u.Scheme == "file" || u.Scheme == "mem"
	if !isLocal {
		s.bucket, err = storage.Open(ctx, set.bucket, opts...)
		return err
	}

	// The signed URLs begin with the address of the server, which is known only after its start.
	s.server, err = serve.NewServer(func(baseURL string) (storage.Bucket, error) {
		return storage.Open(ctx, set.bucket, append(opts, storage.WithSigningBaseURL(baseURL))...)
	})
	if err != nil {
		return err
	}
	s.bucket = s.server.Bucket
	return nil
}

// probe signs an upload and a download, to see what the page will do. It sets s.storeOrigins, the
// origins to which the page will connect, and returns the headers that the page will send.
func (s *site) probe(ctx context.Context) (headers []string, err error) {
	up, err := s.signUpload(ctx, "probe.png", "image/png", 1)
	if err != nil {
		return nil, err
	}
	down, err := s.linkTo(ctx, "probe.png", time.Minute)
	if err != nil {
		return nil, err
	}

	for _, address := range []string{up.URL, down.URL} {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		s.storeOrigins = append(s.storeOrigins, u.Scheme+"://"+u.Host)
	}
	s.storeOrigins = slices.Compact(s.storeOrigins)

	headers = append([]string{"content-type"}, partHeaders...) // browsers always send Content-Type
	for name := range up.Header {
		headers = append(headers, name)
	}
	return headers, nil
}

// Close closes the bucket and its server.
func (s *site) Close() error {
	if s.server != nil {
		s.server.Close()
		return nil
	}
	return storage.Close(s.bucket)
}

func (s *site) handler() (http.Handler, error) {
	routes := http.NewServeMux()
	if err := s.routePage(routes); err != nil {
		return nil, err
	}
	s.routeAPI(routes)
	mux := http.NewServeMux()
	mux.Handle("/", routes)
	mux.Handle("/uploads/", http.StripPrefix("/uploads", s.large))
	// A form or script on another site must not delete images in the name of the visitor.
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// accountOf splits the address of a bucket. account is the same address without the name of the
// bucket. For a directory, it is the address of the parent directory.
func accountOf(address string) (account, bucket string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", errors.New("the bucket's address is no URL")
	}
	if u.Scheme == "file" {
		bucket = path.Base(u.Path)
		u.Path = path.Dir(u.Path)
		u.RawPath = ""
		return u.String(), bucket, nil
	}
	return u.Scheme + "://?" + u.RawQuery, u.Host, nil
}

func createBucket(ctx context.Context, account, bucket string) error {
	service, err := storage.OpenService(ctx, account)
	if err != nil {
		return err
	}
	_, err = service.CreateBucket(ctx, bucket)
	if errors.Is(err, storage.BucketExists) {
		err = nil
	}
	return errors.Join(err, service.Close())
}

func fileAddress(path string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: "create=true"}).String()
}

func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.RawQuery = ""
	return u.String()
}
