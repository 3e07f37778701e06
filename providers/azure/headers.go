package azure

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
)

// set is a header's value, or none.
func set(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// headers are what a write states of the content.
func headers(p *storage.Properties) *blob.HTTPHeaders {
	return &blob.HTTPHeaders{
		BlobContentType:        set(p.ContentType),
		BlobContentEncoding:    set(p.ContentEncoding),
		BlobContentDisposition: set(p.ContentDisposition),
		BlobContentLanguage:    set(p.ContentLanguage),
		BlobCacheControl:       set(p.CacheControl),
	}
}

func tier(class string) *blob.AccessTier {
	if class == "" {
		return nil
	}
	return to.Ptr(blob.AccessTier(class))
}

// storageClass is the access tier, "" for the account's default.
func storageClass(tier *string, inferred bool) string {
	if inferred {
		return ""
	}
	return text(tier)
}

// conditions are If-Match and If-None-Match.
func conditions(c storage.Condition) *blob.AccessConditions {
	m := &blob.ModifiedAccessConditions{}
	switch {
	case c.Absent:
		m.IfNoneMatch = to.Ptr(azcore.ETagAny)
	case c.Revision != "":
		m.IfMatch = to.Ptr(azcore.ETag(c.Revision))
	case c.NotRevision != "":
		m.IfNoneMatch = to.Ptr(azcore.ETag(c.NotRevision))
	default:
		return nil
	}
	return &blob.AccessConditions{ModifiedAccessConditions: m}
}

// sourceCondition holds the source of a copy to a revision.
func sourceCondition(revision string) *blob.SourceModifiedAccessConditions {
	if revision == "" {
		return nil
	}
	return &blob.SourceModifiedAccessConditions{SourceIfMatch: to.Ptr(azcore.ETag(revision))}
}

// quoted is an ETag as it is sent and compared: listings leave the quotes away.
func quoted(etag *azcore.ETag) string {
	if etag == nil || *etag == "" {
		return ""
	}
	tag := strings.TrimPrefix(string(*etag), "W/")
	if strings.HasPrefix(tag, `"`) {
		return tag
	}
	return `"` + tag + `"`
}

// modified is when, to the second, as every answer has it.
func modified(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Second)
}

// written is what a write's answer tells.
func written(etag *azcore.ETag, at *time.Time, version *string) *storage.Attrs {
	return &storage.Attrs{ETag: quoted(etag), Revision: quoted(etag), Version: text(version), Modified: modified(at)}
}

// contentRange reads "bytes 0-9/100": where the answer begins, and the object's
// size.
func contentRange(value string) (start, size int64, err error) {
	span, total, found := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	from, _, dashed := strings.Cut(span, "-")
	if found && dashed {
		start, err = strconv.ParseInt(from, 10, 64)
		if err == nil {
			size, err = strconv.ParseInt(total, 10, 64)
		}
	}
	if !found || !dashed || err != nil {
		return 0, 0, fmt.Errorf("the answer's Content-Range %q cannot be read", value)
	}
	return start, size, nil
}

// text is what an optional field says, or nothing.
func text(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}
