package s3

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
)

// List is one ListObjectsV2. Keys come escaped, where the server can: one
// control character would otherwise make a page that no XML decoder reads.
func (d *driver) List(ctx context.Context, r *storage.ListRequest) (*storage.Page, error) {
	in := &awss3.ListObjectsV2Input{
		Bucket:            d.name(),
		Prefix:            set(r.Prefix),
		Delimiter:         set(r.Delimiter),
		MaxKeys:           aws.Int32(int32(min(r.Limit, maxPage))),
		ContinuationToken: set(r.Token),
		EncodingType:      types.EncodingTypeUrl,
	}
	if r.Token == "" {
		in.StartAfter = set(r.StartAfter)
	}
	out, err := d.client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, d.listFailed(err)
	}
	names := namesOf(out.EncodingType)
	page := &storage.Page{Entries: make([]storage.ListEntry, 0, len(out.Contents)+len(out.CommonPrefixes))}
	for i := range out.Contents {
		o := &out.Contents[i]
		page.Entries = append(page.Entries, storage.ListEntry{
			Key:      names.read(o.Key),
			Size:     aws.ToInt64(o.Size),
			ETag:     quoted(o.ETag),
			Revision: quoted(o.ETag),
			Modified: modified(o.LastModified),
		})
	}
	for _, p := range out.CommonPrefixes {
		page.Entries = append(page.Entries, storage.ListEntry{Key: names.read(p.Prefix), IsPrefix: true})
	}
	if names.failed != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: names.failed}
	}
	slices.SortFunc(page.Entries, func(a, b storage.ListEntry) int { return cmp.Compare(a.Key, b.Key) })
	if aws.ToBool(out.IsTruncated) {
		if page.Token = aws.ToString(out.NextContinuationToken); page.Token == "" {
			return nil, &storage.Error{Code: storage.Internal, Err: errors.New("the listing goes on, and the answer does not say where")}
		}
	}
	return page, nil
}

// listFailed: nothing but a bucket can be missing to a listing.
func (d *driver) listFailed(err error) error {
	e := translate(err)
	if e.Code == storage.ObjectNotFound {
		e.Code = storage.BucketNotFound
	}
	if e.Code == storage.BucketNotFound && e.Hint == "" {
		e.Hint = d.bucketHint()
	}
	return e
}

// names reads keys as the answer says that they are written; a server may not
// heed what it was asked.
type names struct {
	escaped bool
	failed  error
}

func namesOf(encoding types.EncodingType) *names {
	return &names{escaped: encoding == types.EncodingTypeUrl}
}

func (n *names) read(name *string) string {
	if !n.escaped {
		return aws.ToString(name)
	}
	plain, err := url.QueryUnescape(aws.ToString(name))
	if err != nil {
		n.failed = errors.New("a key in the listing is not escaped as it says")
	}
	return plain
}
