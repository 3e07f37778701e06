package engine

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/redact"
)

// textProperties lists the properties that are texts, each with its bit, its option and its field.
var textProperties = [...]struct {
	bit    storage.PropertySet
	option string
	field  func(*storage.Properties) *string
}{
	{
		bit:    storage.ContentTypeSet,
		option: "WithContentType",
		field:  func(p *storage.Properties) *string { return &p.ContentType },
	},
	{
		bit:    storage.ContentEncodingSet,
		option: "WithContentEncoding",
		field:  func(p *storage.Properties) *string { return &p.ContentEncoding },
	},
	{
		bit:    storage.ContentDispositionSet,
		option: "WithContentDisposition",
		field:  func(p *storage.Properties) *string { return &p.ContentDisposition },
	},
	{
		bit:    storage.ContentLanguageSet,
		option: "WithContentLanguage",
		field:  func(p *storage.Properties) *string { return &p.ContentLanguage },
	},
	{
		bit:    storage.CacheControlSet,
		option: "WithCacheControl",
		field:  func(p *storage.Properties) *string { return &p.CacheControl },
	},
	{
		bit:    storage.StorageClassSet,
		option: "WithStorageClass",
		field:  func(p *storage.Properties) *string { return &p.StorageClass },
	},
}

// writeFields describes the request of any kind of write. Its pointers lead to the fields that
// all such requests have. The fields set and natives come from the options of the caller.
type writeFields struct {
	properties *storage.Properties
	set        storage.PropertySet
	controls   *storage.Controls
	condition  *storage.Condition
	native     *[]any
	natives    []storage.NativeValue
}

// resolveWrite makes the checks that all writes have in common, and completes the request that the
// driver gets.
func (e *engine) resolveWrite(key string, w writeFields) *storage.Error {
	p := w.properties

	// Check the key and the properties, some of which this store may not have.
	if rule := objectkey.WriteRule(key); rule != "" {
		return invalid("key", rule)
	}
	if err := checkProperties(p, w.set); err != nil {
		return err
	}
	if objectkey.HasLongSegment(key) {
		if err := e.need(storage.LongSegments, "a segment of a key of more than 255 bytes"); err != nil {
			return err
		}
	}
	if err := e.needProperties(p, w.set); err != nil {
		return err
	}

	// Any other property that the store cannot keep is from the source of a copy, not from an option.
	e.dropProperties(p)

	if p.StorageClass != "" {
		if err := e.need(storage.StorageClasses, "WithStorageClass"); err != nil {
			return err
		}
	}
	if err := e.checkControls(w.controls); err != nil {
		return err
	}
	native, err := e.nativeValues(w.natives)
	if err != nil {
		return err
	}
	*w.native = native
	return e.checkCondition(w.condition, storage.ConditionalUpdate)
}

// checkControls returns Unsupported if the store lacks the tags, the locks or the public access of a
// write. The error names the option that asks for it.
func (e *engine) checkControls(controls *storage.Controls) *storage.Error {
	if len(controls.Tags) > 0 {
		if err := e.need(storage.ObjectTags, "WithTags"); err != nil {
			return err
		}
	}
	if controls.Retention != (storage.Retention{}) {
		if err := e.need(storage.ObjectLock, "WithRetention"); err != nil {
			return err
		}
	}
	if controls.LegalHold {
		if err := e.need(storage.ObjectLock, "WithLegalHold"); err != nil {
			return err
		}
	}
	if controls.PublicRead {
		return e.need(storage.ObjectACLs, "WithPublicRead")
	}
	return nil
}

// hasLock reports whether the controls include a retention or a legal hold, which prevent removal.
func hasLock(controls *storage.Controls) bool {
	return controls.Retention != (storage.Retention{}) || controls.LegalHold
}

// checkSet refuses a property whose bit in set is 0, as a Core may have forgotten it. Without the bit,
// an upload would not check the property, and a copy would ignore it.
func checkSet(p *storage.Properties, set storage.PropertySet) *storage.Error {
	const rule = "must have the bit of each property, as the option of the property sets it"
	for _, text := range textProperties {
		if *text.field(p) != "" && set&text.bit == 0 {
			return invalid("Set", rule)
		}
	}
	if len(p.Metadata) > 0 && set&storage.MetadataSet == 0 {
		return invalid("Set", rule)
	}
	return nil
}

// checkProperties checks the properties of a write, and replaces p.Metadata by a copy with keys in
// lower case.
func checkProperties(p *storage.Properties, set storage.PropertySet) *storage.Error {
	// The properties are sent as headers.
	for _, text := range textProperties {
		value := *text.field(p)
		if value != "" && !headertext.ValidHeader(value) {
			return invalid(
				text.option,
				"must be ASCII, as headers are, of at most 1,024 bytes without control characters or spaces at its ends; a file name beyond that is written as filename*=UTF-8''...",
			)
		}
	}

	isAWSChunked := strings.Contains(strings.ToLower(p.ContentEncoding), "aws-chunked")
	if set&storage.ContentEncodingSet != 0 && isAWSChunked {
		return invalid("WithContentEncoding", "must not be aws-chunked, which is a coding of requests to S3")
	}
	if set&storage.ContentTypeSet != 0 && !headertext.ValidMediaType(p.ContentType) {
		return invalid("WithContentType", "must be type/subtype, not "+redact.Quoted(p.ContentType))
	}

	// Without metadata, the map becomes nil.
	if len(p.Metadata) == 0 {
		p.Metadata = nil
		return nil
	}
	folded, err := foldMetadata(p.Metadata)
	if err != nil {
		return err
	}
	p.Metadata = folded
	return nil
}

// needProperties returns Unsupported if an option has set a property that the store cannot keep.
func (e *engine) needProperties(p *storage.Properties, set storage.PropertySet) *storage.Error {
	keepsAll := e.has(storage.Metadata | storage.ContentProperties)
	if keepsAll {
		return nil
	}

	if set&storage.MetadataSet != 0 && len(p.Metadata) > 0 {
		if err := e.need(storage.Metadata, "WithMetadata"); err != nil {
			return err
		}
	}
	for _, text := range textProperties {
		// The storage class needs another feature than the other properties.
		isSet := set&text.bit != 0
		isClass := text.bit == storage.StorageClassSet
		if !isSet || isClass {
			continue
		}
		// An empty value sets nothing, but WithContentType is refused even with an empty value.
		isEmpty := *text.field(p) == ""
		isContentType := text.bit == storage.ContentTypeSet
		if isEmpty && !isContentType {
			continue
		}
		if err := e.need(storage.ContentProperties, text.option); err != nil {
			return err
		}
	}
	return nil
}

// dropProperties clears the properties that the store cannot keep, which come from the source of a
// copy and not from an option.
func (e *engine) dropProperties(p *storage.Properties) {
	if !e.has(storage.Metadata) {
		p.Metadata = nil
	}
	if !e.has(storage.ContentProperties) {
		*p = storage.Properties{Metadata: p.Metadata, StorageClass: p.StorageClass}
	}
}

// foldMetadata checks metadata, and returns a copy with keys in lower case (rule W8).
func foldMetadata(pairs map[string]string) (map[string]string, *storage.Error) {
	folded, rule, hint := metadata.Fold(pairs)
	if rule == "" {
		return folded, nil
	}
	err := invalid("WithMetadata", rule)
	err.Hint = cmp.Or(hint, err.Hint)
	return nil, err
}

// contentType returns the content type of an object (rule W9): value, or, if that is empty, the type of
// the key's extension or of the first bytes, which sniff returns. sniff may be nil.
func contentType(value, key string, sniff func() []byte) string {
	if value != "" {
		return value
	}
	if mediaType := headertext.MediaTypeByExtension(key); mediaType != "" {
		return mediaType
	}
	if sniff != nil {
		if head := sniff(); len(head) > 0 {
			return http.DetectContentType(head)
		}
	}
	return "application/octet-stream"
}

// toUser changes the attributes of a driver to what the user sees: without reserved metadata, and with
// the provider's prefix in the revision.
func (o *operation) toUser(ctx context.Context, attrs *storage.Attrs) *storage.Attrs {
	attrs.Key = o.key
	attrs.Revision = o.engine.taggedRevision(attrs.Revision)
	attrs.Metadata = o.engine.metadata.Decode(ctx, attrs.Metadata)
	if attrs.ContentType == "" {
		// The store has no content type for a file that was put into a directory by hand, for example.
		attrs.ContentType = contentType("", o.key, nil)
	}
	if !o.engine.has(storage.Versioning) {
		// The options of the bucket do not permit versions.
		attrs.Version = ""
	}
	return attrs
}
