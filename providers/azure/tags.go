package azure

import (
	"context"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// tagsVersion is the first service version with blob index tags. An older one would ignore them.
const tagsVersion = "2019-12-12"

// Tags makes one Get Blob Tags request.
func (d *driver) Tags(ctx context.Context, r *storage.GetRequest) (map[string]string, error) {
	if err := checkName(r.Key, r.Version); err != nil {
		return nil, err
	}
	o := &blob.GetTagsOptions{VersionID: httpheader.Optional(r.Version)}
	if err := mustApply(d.natives(r.Native), o, "GetTags", func(f Options) func(*blob.GetTagsOptions) { return f.GetTags }); err != nil {
		return nil, err
	}
	out, err := ask(ctx, d.account, d.blob(r.Key).GetTags, o)
	if err != nil {
		return nil, d.readError(ctx, err, r)
	}
	tags := make(map[string]string, len(out.BlobTagSet))
	for _, tag := range out.BlobTagSet {
		if tag != nil {
			tags[deref(tag.Key)] = deref(tag.Value)
		}
	}
	return tags, nil
}

// SetTags makes one Set Blob Tags request, which replaces all tags.
func (d *driver) SetTags(ctx context.Context, r *storage.ChangeRequest) error {
	if err := checkName(r.Key, r.Version); err != nil {
		return err
	}
	o := &blob.SetTagsOptions{VersionID: httpheader.Optional(r.Version)}
	err := mustApply(d.natives(r.Native), o, "SetTags", func(f Options) func(*blob.SetTagsOptions) { return f.SetTags })
	if err != nil {
		return err
	}
	err = writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := d.blob(r.Key).SetTags(ctx, r.Tags, o)
		return err
	})
	return d.changeError(ctx, err)
}

// changeError returns the error for a failed change of an object, or nil.
func (d *driver) changeError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e := asError(err); e.Status == http.StatusNotFound {
		return d.notFound(ctx, e)
	}
	return err
}

// tagCount returns how many tags a response counts. It has no count if there are none.
func tagCount(count *int64) int {
	if count == nil {
		return 0
	}
	return int(*count)
}
