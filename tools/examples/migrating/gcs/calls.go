package gcs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	ourgcs "github.com/omnibucket/storage/providers/gcs"
)

// The functions contain the calls that docs/migrating/google-cloud-storage.md shows, so that the
// compiler checks them.
var _ = []any{oldCalls, newCalls}

// oldCalls has the calls of the old library. It never runs: the compiler checks that they are valid.
func oldCalls(ctx context.Context, c *gcs.Client) {
	// The compiler needs only the types of these values.
	var (
		bucket, key, p, project string
		generation              int64
		update                  gcs.ObjectAttrsToUpdate
		signing                 *gcs.SignedURLOptions
		err                     error
	)

	gcs.NewClient(ctx)
	o := c.Bucket(bucket).Object(key)
	o.NewWriter(ctx)
	o.NewReader(ctx)
	o.NewRangeReader(ctx, 100, 200)
	o.Attrs(ctx)
	o.Update(ctx, update)
	o.Delete(ctx)
	o.CopierFrom(o).Run(ctx)
	o.ComposerFrom(o, o).Run(ctx)
	o.If(gcs.Conditions{DoesNotExist: true})
	o.If(gcs.Conditions{GenerationMatch: generation})
	o.Generation(generation)
	c.Bucket(bucket).Objects(ctx, &gcs.Query{Prefix: p})
	c.Bucket(bucket).Objects(ctx, &gcs.Query{Prefix: p, Delimiter: "/"})
	c.Bucket(bucket).SignedURL(key, signing)
	c.Bucket(bucket).Create(ctx, project, nil)
	_ = errors.Is(err, gcs.ErrObjectNotExist)
}

// newCalls has the calls of this library that replace the old ones. It never runs, either.
func newCalls(ctx context.Context, b storage.Bucket, service storage.Service, c *http.Client) {
	// The compiler needs only the types of these values.
	var (
		bucket, key, p, revision, version, from, to string
		ttl                                         time.Duration
		r                                           io.Reader
		sources                                     []string
		m                                           map[string]string
		err                                         error
	)

	ourgcs.Open(ctx, ourgcs.Config{Bucket: bucket})
	ourgcs.Open(ctx, ourgcs.Config{Bucket: bucket, HTTPClient: c})
	b.Upload(ctx, key, r)
	w := storage.NewWriter(ctx, b, key)
	w.Commit()
	b.Download(ctx, key)
	b.Download(ctx, key, storage.WithRange(100, 200))
	b.Attrs(ctx, key)
	storage.Copy(ctx, b, key, b, key, storage.WithMetadata(m))
	b.Remove(ctx, key)
	storage.Copy(ctx, b, to, b, from)
	storage.Compose(ctx, b, to, sources)
	_ = storage.IfAbsent()
	_ = storage.IfRevision(revision)
	_ = storage.WithVersion(version)
	b.List(ctx, storage.WithPrefix(p))
	b.List(ctx, storage.WithPrefix(p), storage.WithDelimiter("/"))
	b.SignedDownloadURL(ctx, key, storage.WithTTL(ttl))
	b.SignedUploadURL(ctx, key, storage.WithTTL(ttl))
	service.CreateBucket(ctx, bucket)
	_ = errors.Is(err, storage.ObjectNotFound)
	storage.As[*gcs.Client](b)
}
