package s3

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/s3/internal/listxml"
)

// List sends one ListObjectsV2. It asks for escaped keys, because one control
// character would make a page that no XML decoder reads.
func (d *driver) List(ctx context.Context, r *storage.ListRequest) (*storage.Page, error) {
	in := &awss3.ListObjectsV2Input{
		Bucket:            &d.bucket.name,
		Prefix:            httpheader.Optional(r.Prefix),
		Delimiter:         httpheader.Optional(r.Delimiter),
		MaxKeys:           aws.Int32(int32(min(r.Limit, maxPage))),
		ContinuationToken: httpheader.Optional(r.Token),
		EncodingType:      types.EncodingTypeUrl,
	}
	// A start before the prefix has no effect, and makes SeaweedFS up to 4.47 list
	// nothing.
	if r.Token == "" && (r.StartAfter > r.Prefix || strings.HasPrefix(r.StartAfter, r.Prefix)) {
		in.StartAfter = httpheader.Optional(r.StartAfter)
	}
	if _, key, ok := parseKeyToken(r.Token); ok {
		in.ContinuationToken, in.StartAfter = nil, aws.String(key)
	}
	page := &storage.Page{}
	decode := listxml.DecodeWith(&awss3.ListObjectsV2Output{}, func(response []byte) error {
		return listxml.ReadObjects(response, page, r.Entries)
	})
	began := d.account.clock.now()
	if _, err := d.account.client.ListObjectsV2(ctx, in, decode); err != nil {
		return nil, d.bucket.listError(err)
	}
	d.account.continueByKey(r, page, d.account.clock.now().Sub(began))
	return page, nil
}

// startsAfter reports whether the server is known to list everything in a prefix after key. MinIO
// does so only if key is in no folder below the prefix's. There it counts keys before key as part of
// the page, among them "a-b" for "a/b", and may say that the listing ends.
func (a *account) startsAfter(prefix, key string) bool {
	return a.orderKnown() && (!a.profile.SlowTokens || !strings.Contains(key[min(len(key), strings.LastIndex(prefix, "/")+1):], "/"))
}

// orderKnown reports whether the server is known to list in byte order. A profile that was only
// given may be the wrong one.
func (a *account) orderKnown() bool {
	p := &a.profile
	if !p.OrderedListing || p.Name == accessPointProfile || a.customResolver {
		return false
	}
	if a.endpoint == nil {
		return true
	}
	if of, _, known := profileOfHost(a.endpoint.Hostname()); known && of.OrderedListing {
		return true
	}
	kind := a.server.seen.Load()
	return kind != nil && kind.profile == strings.TrimSuffix(p.Name, ProbedSuffix)
}

// listError translates the error of a listing: only the bucket can be missing.
func (b *bucket) listError(err error) error {
	return sdkerror.FromListing(translate(err), b.missingHint())
}
