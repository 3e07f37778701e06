package storage

import (
	"bytes"
	"cmp"
	"context"
	"io"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/headertext"
)

// StreamCopy copies an object to c by Download of src and Upload of c. If a [Core] must see or
// change the bytes of each object, its CopyFrom returns StreamCopy of the Core itself. StreamCopy
// follows all options of Copy and of Append, except that the result always has its attributes.
//
// The properties of the source are kept, except its storage class, and except headers that no
// option can set, such as a Content-Type without a slash. Tags are not copied. If the source
// changes meanwhile, StreamCopy fails with [Changed]. If an object is copied onto itself without a
// condition and c has [ConditionalUpdate], the revision that was read is the condition. StreamCopy
// never reads from the second store of a mirror, which may have an older object.
func StreamCopy(ctx context.Context, c Core, key string, src CopySource, o *CopyOptions) (*Attrs, error) {
	// Never read from the second store of a mirror, which may have an older object.
	ctx = evidence.WithoutFailover(ctx)
	reader, err := openCopySource(ctx, src, o)
	if err != nil {
		return nil, err
	}
	// The Upload has read it to its end, or has failed.
	defer reader.Close()

	// The copy keeps the properties of the source, as far as it can.
	source := reader.Attrs()
	properties, set := copiedProperties(c, &source.Properties, o)
	put := &UploadOptions{
		Size:       source.Size,
		CRC32C:     source.CRC32C,
		Properties: properties,
		Set:        set,
		Controls:   o.Controls,
		Native:     o.Native,
		Condition:  o.Condition,
		Transfer:   o.Transfer,
	}

	body := &copyBody{reader: reader}
	content := withTail(body, put, o)

	// If the copy replaces its own source, it must not replace another revision.
	isGuarded := o.Condition == (Condition{}) && source.Revision != "" && replacesSource(c, key, src, o)
	if isGuarded {
		put.Condition.Revision = source.Revision
	}

	attrs, err := c.Upload(ctx, key, content, put)
	if err == nil {
		return attrs, nil
	}

	// Find out whether the source or the replaced object has changed meanwhile.
	copyErr := AsError(ctx, err)
	copyErr.Op = "Copy"
	replacedMeanwhile := isGuarded && copyErr.Code == PreconditionFailed
	changedWhileRead := copyErr.Code == BodyFailed && body.changed()
	if replacedMeanwhile || changedWhileRead {
		copyErr.Code = Changed
	}
	return nil, copyErr
}

// openCopySource opens the source of a copy, and reports its errors as those of Copy.
func openCopySource(ctx context.Context, src CopySource, o *CopyOptions) (*Reader, error) {
	reader, err := src.Download(ctx, &DownloadOptions{
		Length:      -1,
		Version:     o.Version,
		Concurrency: o.Concurrency,
		Native:      o.SourceNative,
	})
	if err != nil {
		copyErr := AsError(ctx, err)
		copyErr.Op = "Copy"
		copyErr.Key = cmp.Or(copyErr.Key, src.Key())
		if copyErr.Code == PreconditionFailed {
			// The caller's condition is one on the destination, so this means that the source was changed.
			copyErr.Code = Changed
		}
		return nil, copyErr
	}
	return reader, nil
}

// withTail returns body followed by the bytes of Append, and adds them to the declared size and checksum.
// For a Copy, which has no such bytes, it returns body.
func withTail(body io.Reader, put *UploadOptions, o *CopyOptions) io.Reader {
	tail := o.state.Tail
	if tail == nil {
		return body
	}
	// Taken tells Append that the tail was not ignored.
	*o.state.Taken = true
	put.Size += int64(len(tail))
	put.CRC32C = checksumWithTail(put.CRC32C, tail)
	return io.MultiReader(body, bytes.NewReader(tail))
}

// checksumWithTail returns the checksum of an object that has the checksum sum, followed by tail. It
// is unknown if sum is.
func checksumWithTail(sum CRC32C, tail []byte) CRC32C {
	if !sum.Known {
		return CRC32C{}
	}
	return CRC32C{Known: true, Sum: crc32c.Join(sum.Sum, crc32c.Sum(tail), int64(len(tail)))}
}

// replacesSource reports whether a copy replaces the current revision of its own source, as Append
// always does, and whether c can check that revision.
func replacesSource(c Core, key string, src CopySource, o *CopyOptions) bool {
	if o.state.Tail != nil {
		return true
	}
	return o.Version == "" && src.names(c, key) && c.Supports(ConditionalUpdate)
}

// names reports whether the source is the object with this key of c.
func (s CopySource) names(c Core, key string) bool {
	src := c.Source(key)
	return src.key == s.key && evidence.EqualValues(src.core, s.core)
}

// keptProperties returns the properties of source that c can keep in a copy.
func keptProperties(c Core, source *Properties) Properties {
	p := *source
	p.StorageClass = ""
	if !c.Supports(ContentProperties) {
		p = Properties{Metadata: p.Metadata}
	}
	if !c.Supports(Metadata) {
		p.Metadata = nil
	}
	if !headertext.ValidMediaType(p.ContentType) {
		p.ContentType = ""
	}
	return p
}

// copiedProperties returns the properties of a copy, and the set of those that Upload must set. An option
// replaces a property of the source. The others are kept if c has them and Upload accepts their values.
func copiedProperties(c Core, source *Properties, o *CopyOptions) (Properties, PropertySet) {
	p := keptProperties(c, source)
	set := o.Set
	options := &o.Properties
	for _, property := range []struct {
		bit    PropertySet
		value  *string // of the copy; at first that of the source
		option string  // the value that replaces it if the bit is set
	}{
		{ContentTypeSet, &p.ContentType, options.ContentType},
		{ContentEncodingSet, &p.ContentEncoding, options.ContentEncoding},
		{ContentDispositionSet, &p.ContentDisposition, options.ContentDisposition},
		{ContentLanguageSet, &p.ContentLanguage, options.ContentLanguage},
		{CacheControlSet, &p.CacheControl, options.CacheControl},
		{StorageClassSet, &p.StorageClass, options.StorageClass},
	} {
		isReplaced := o.Set&property.bit != 0
		if isReplaced {
			*property.value = property.option
			continue
		}
		// Another program may have stored a header that Upload would refuse.
		if !headertext.ValidHeader(*property.value) {
			*property.value = ""
		}
		if *property.value != "" {
			set |= property.bit
		}
	}

	// For metadata, the rule is the same.
	if o.Set&MetadataSet != 0 {
		p.Metadata = options.Metadata
	} else if len(p.Metadata) > 0 {
		set |= MetadataSet
	}
	return p, set
}

// A copyBody is the content of the source of a copy. It keeps the error of the last Read.
type copyBody struct {
	reader io.Reader
	err    error
}

func (b *copyBody) Read(p []byte) (n int, err error) {
	n, b.err = b.reader.Read(p)
	return n, b.err
}

// changed reports whether the source was changed or removed after it was opened, by the error of its
// last Read.
func (b *copyBody) changed() bool {
	if b.err == nil || b.err == io.EOF {
		return false
	}
	switch CodeOf(b.err) {
	case Changed, PreconditionFailed, ObjectNotFound, RangeNotSatisfiable:
		return true
	}
	return false
}
