package azure

import (
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// headers are what a write states of the content.
func httpHeaders(p *storage.Properties) *blob.HTTPHeaders {
	return &blob.HTTPHeaders{
		BlobContentType:        httpheader.Optional(p.ContentType),
		BlobContentEncoding:    httpheader.Optional(p.ContentEncoding),
		BlobContentDisposition: httpheader.Optional(p.ContentDisposition),
		BlobContentLanguage:    httpheader.Optional(p.ContentLanguage),
		BlobCacheControl:       httpheader.Optional(p.CacheControl),
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
	return deref(tier)
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

// quoted is an ETag as it is sent and compared.
func quoted(etag *azcore.ETag) string {
	if etag == nil {
		return ""
	}
	return httpheader.ETag(string(*etag))
}

// modified is when, to the second, as every answer has it.
func modified(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Second)
}

// written is what a write's answer tells.
func writeAttrs(etag *azcore.ETag, at *time.Time, version *string) *storage.Attrs {
	return &storage.Attrs{ETag: quoted(etag), Revision: quoted(etag), Version: deref(version), Modified: modified(at)}
}

// text is what an optional field says, or nothing.
func deref(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}
