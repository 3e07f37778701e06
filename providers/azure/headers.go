package azure

import (
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// httpHeaders returns the properties of an object that Azure stores as headers, in the form of the SDK.
func httpHeaders(p *storage.Properties) *blob.HTTPHeaders {
	return &blob.HTTPHeaders{
		BlobContentType:        httpheader.Optional(p.ContentType),
		BlobContentEncoding:    httpheader.Optional(p.ContentEncoding),
		BlobContentDisposition: httpheader.Optional(p.ContentDisposition),
		BlobContentLanguage:    httpheader.Optional(p.ContentLanguage),
		BlobCacheControl:       httpheader.Optional(p.CacheControl),
	}
}

// storageClass returns the access tier, or "" if it is the account's default.
func storageClass(tier *string, inferred bool) string {
	if inferred {
		return ""
	}
	return deref(tier)
}

// conditions returns a condition as If-Match or If-None-Match, or nil if there is none.
func conditions(c storage.Condition) *blob.AccessConditions {
	m := &blob.ModifiedAccessConditions{}
	switch {
	case c.Absent:
		m.IfNoneMatch = new(azcore.ETagAny)
	case c.Revision != "":
		m.IfMatch = new(azcore.ETag(c.Revision))
	case c.NotRevision != "":
		m.IfNoneMatch = new(azcore.ETag(c.NotRevision))
	default:
		return nil
	}
	return &blob.AccessConditions{ModifiedAccessConditions: m}
}

// sourceCondition returns the condition that the source of a copy still has this revision, or nil
// if revision is "".
func sourceCondition(revision string) *blob.SourceModifiedAccessConditions {
	if revision == "" {
		return nil
	}
	return &blob.SourceModifiedAccessConditions{SourceIfMatch: new(azcore.ETag(revision))}
}

// quoteETag returns an ETag in quotes, as it is sent and compared.
func quoteETag(etag *azcore.ETag) string {
	return httpheader.ETag(string(deref(etag)))
}

// wholeSeconds returns a time in UTC, in whole seconds. No response is more precise.
func wholeSeconds(t *time.Time) time.Time {
	return deref(t).UTC().Truncate(time.Second)
}

func writeAttrs(etag *azcore.ETag, t *time.Time, version *string) *storage.Attrs {
	return &storage.Attrs{ETag: quoteETag(etag), Revision: quoteETag(etag), Version: deref(version), Modified: wholeSeconds(t)}
}

// deref returns the value of an optional field, or the zero value if there is none.
func deref[T any](value *T) (v T) {
	if value != nil {
		v = *value
	}
	return v
}
