package storage

import (
	"math"
)

// written points to the part that all requests for a write have in common.
type written struct {
	properties *Properties
	set        *PropertySet
	controls   *Controls
	condition  *Condition
	err        *error
}

type writeOption func(written)

func (o writeOption) applyUpload(r *UploadOptions) {
	o(written{&r.Properties, &r.Set, &r.Controls, &r.Condition, &r.err})
}
func (o writeOption) applyMultipart(r *UploadOptions) { o.applyUpload(r) }
func (o writeOption) applyCopy(r *CopyOptions) {
	o(written{&r.Properties, &r.Set, &r.Controls, &r.Condition, &r.err})
}
func (o writeOption) applySignedUpload(r *SignOptions) {
	o(written{&r.Properties, &r.Set, &r.Controls, &r.Condition, &r.err})
}

func propertyOption(p PropertySet, set func(*Properties)) WriteOption {
	return writeOption(func(w written) {
		set(w.properties)
		*w.set |= p
	})
}

// WithContentType sets the media type (type/subtype). The default is that of the key's
// extension, else of the first 512 bytes, else "application/octet-stream"; a signed upload
// has none.
func WithContentType(mediaType string) WriteOption {
	return propertyOption(ContentTypeSet, func(p *Properties) { p.ContentType = mediaType })
}

// WithCacheControl sets the Cache-Control header of the object.
func WithCacheControl(directives string) WriteOption {
	return propertyOption(CacheControlSet, func(p *Properties) { p.CacheControl = directives })
}

// WithContentDisposition sets the Content-Disposition header of the object.
func WithContentDisposition(disposition string) WriteOption {
	return propertyOption(ContentDispositionSet, func(p *Properties) { p.ContentDisposition = disposition })
}

// WithContentEncoding declares how the bytes are encoded already, such as "gzip". This
// package neither encodes nor decodes them.
func WithContentEncoding(coding string) WriteOption {
	return propertyOption(ContentEncodingSet, func(p *Properties) { p.ContentEncoding = coding })
}

// WithContentLanguage sets the Content-Language header of the object.
func WithContentLanguage(tag string) WriteOption {
	return propertyOption(ContentLanguageSet, func(p *Properties) { p.ContentLanguage = tag })
}

// WithMetadata sets the object's metadata, all of it: a write replaces what was there. A
// key has at most 64 letters, digits, "-" and "_", begins with a letter, but not with
// "omnibucket", and is folded to lower case. A value is text without control characters and
// without spaces at its ends; [EncodeMetadataValue] makes one of any text. All take at most
// 2 KiB as stored.
func WithMetadata(metadata map[string]string) WriteOption {
	return propertyOption(MetadataSet, func(p *Properties) { p.Metadata = metadata })
}

// WithStorageClass sets the storage class, by the provider's own name. Without it, Azure
// keeps that of the object which is replaced.
func WithStorageClass(class string) WriteOption {
	return propertyOption(StorageClassSet, func(p *Properties) { p.StorageClass = class })
}

// WithPublicRead makes this one object readable by anyone.
func WithPublicRead() WriteOption {
	return writeOption(func(w written) { w.controls.PublicRead = true })
}

// A sizeOption sets what a caller declares of a body.
type sizeOption func(size *int64, sum *CRC32C, failed *error)

func (o sizeOption) applyUpload(r *UploadOptions)     { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applyMultipart(r *UploadOptions)  { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applyPart(r *PartOptions)         { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applySignedPart(r *PartOptions)   { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applyComplete(r *CompleteOptions) { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applySignedUpload(r *SignOptions) { o(&r.Size, &r.CRC32C, &r.err) }

// WithSize declares the length of the body in bytes. A body of another length stores
// nothing, and the upload fails with BodyFailed.
func WithSize(bytes int64) SizeOption {
	return sizeOption(func(size *int64, _ *CRC32C, failed *error) {
		atLeast(failed, "WithSize", bytes, 0)
		*size = bytes
	})
}

// WithCRC32C declares the CRC32C (Castagnoli) of the body. A body with another checksum
// stores nothing, and the upload fails with ChecksumMismatch.
func WithCRC32C(sum uint32) SizeOption {
	return sizeOption(func(_ *int64, to *CRC32C, _ *error) { *to = CRC32C{Sum: sum, Known: true} })
}

type nativeOption NativeValue

func (o nativeOption) add(to *[]NativeValue)              { *to = append(*to, NativeValue(o)) }
func (o nativeOption) applyUpload(r *UploadOptions)       { o.add(&r.Native) }
func (o nativeOption) applyMultipart(r *UploadOptions)    { o.applyUpload(r) }
func (o nativeOption) applyDownload(r *DownloadOptions)   { o.add(&r.Native) }
func (o nativeOption) applyAttrs(r *DownloadOptions)      { o.applyDownload(r) }
func (o nativeOption) applyReaderAt(r *readerAtRequest)   { o.applyDownload(&r.get) }
func (o nativeOption) applyCopy(r *CopyOptions)           { o.add(&r.Native) }
func (o nativeOption) applyRemove(r *RemoveOptions)       { o.add(&r.Native) }
func (o nativeOption) applySignedUpload(r *SignOptions)   { o.add(&r.Native) }
func (o nativeOption) applySignedDownload(r *SignOptions) { o.add(&r.Native) }
func (o nativeOption) applySet(r *ChangeOptions)          { o.add(&r.Native) }
func (o nativeOption) applyRetention(r *ChangeOptions)    { o.applySet(r) }
func (o nativeOption) applyRestore(r *ChangeOptions)      { o.applySet(r) }

// WithNative makes an option for one provider. With any other provider, the call fails with Unsupported.
func WithNative(provider string, value any) NativeOption {
	return nativeOption{Provider: provider, Value: value}
}

type sourceNativeOption NativeValue

func (o sourceNativeOption) applyCopy(r *CopyOptions) {
	r.SourceNative = append(r.SourceNative, NativeValue(o))
}

// WithSourceNative is [WithNative] for reading the sources of Copy and Compose.
func WithSourceNative(provider string, value any) CopyOption {
	return sourceNativeOption{Provider: provider, Value: value}
}

type withoutAttrsOption struct{}

func (withoutAttrsOption) applyCopy(r *CopyOptions) { r.WithoutAttrs = true }

// WithoutAttrs saves one of two requests of a Copy inside S3, unless it has a condition or
// replaces a property: the attributes of the source are not read. The copy has the default
// storage class. The returned Attrs have only what the store's response has; Size is -1. If no
// response comes within two minutes, the size is read, and the copy repeated.
func WithoutAttrs() CopyOption { return withoutAttrsOption{} }

type nativeAttrsOption struct{}

func (nativeAttrsOption) applyDownload(r *DownloadOptions) { r.NativeAttrs = true }
func (nativeAttrsOption) applyAttrs(r *DownloadOptions)    { r.NativeAttrs = true }
func (nativeAttrsOption) applyReaderAt(*readerAtRequest)   {} // it is for the request of Attrs, not for the bytes

// WithNativeAttrs keeps the provider's own answer, if it has one, in [Attrs], for
// [AttrsAs]. It may cost a slower way to make the request.
func WithNativeAttrs() ReadOption { return nativeAttrsOption{} }

type partSizeOption int64

func (o partSizeOption) applyUpload(r *UploadOptions) {
	atLeast(&r.err, "WithPartSize", o, 1)
	r.PartSize = int64(o)
}

// WithPartSize sets the size of an upload's parts, into which a longer body is cut. The
// default is [WithDefaultPartSize], or depends on body and provider.
func WithPartSize(bytes int64) UploadOption {
	return partSizeOption(bytes)
}

type concurrencyOption int

func (o concurrencyOption) set(to *int, failed *error) {
	atLeast(failed, "WithConcurrency", o, 1)
	*to = int(o)
}
func (o concurrencyOption) applyUpload(r *UploadOptions)     { o.set(&r.Concurrency, &r.err) }
func (o concurrencyOption) applyPart(r *PartOptions)         { o.set(new(int), &r.err) } // a part is one request
func (o concurrencyOption) applyDownload(r *DownloadOptions) { o.set(&r.Concurrency, &r.err) }
func (o concurrencyOption) applyCopy(r *CopyOptions)         { o.set(&r.Concurrency, &r.err) }

// WithConcurrency sets how many requests one transfer makes at once from the beginning;
// uploads and downloads to a file make at most 1,000. The [BufferLimit] bounds the buffers;
// a download to a file needs 128 KiB for each. Without it a download begins with one, and
// makes up to 16 if its reader waits for the network; a multipart upload of a body that is
// read in place makes 16 to 32. A stream without [WithPartSize] has at most 64 MiB of parts in
// memory, or two that are larger. If n is below 1, the operation fails with InvalidArgument.
func WithConcurrency(n int) TransferOption {
	return concurrencyOption(n)
}

type progressOption func(done, total int64)

func (o progressOption) applyUpload(r *UploadOptions)     { r.Progress = o }
func (o progressOption) applyPart(r *PartOptions)         { r.Progress = o }
func (o progressOption) applyDownload(r *DownloadOptions) { r.Progress = o }
func (o progressOption) applyCopy(r *CopyOptions)         { r.Progress = o }

// WithProgress calls report as bytes move; total is -1 while it is unknown, and done never
// decreases. One goroutine at a time calls report; return soon.
func WithProgress(report func(done, total int64)) TransferOption {
	return progressOption(report)
}

type downloadOption func(*DownloadOptions)

func (o downloadOption) applyDownload(r *DownloadOptions) { o(r) }

// WithRange reads length bytes from offset, or fewer if the object ends earlier. A length
// below 0 reads to the end; then an offset below 0 reads the last -offset bytes. An offset
// past the end is RangeNotSatisfiable.
func WithRange(offset, length int64) DownloadOption {
	return downloadOption(func(r *DownloadOptions) {
		r.Offset, r.Length, r.Suffix = 0, -1, 0
		switch {
		case offset < 0 && length >= 0:
			fail(&r.err, "WithRange", "with an offset below 0 takes a length below 0: the last -offset bytes")
		case offset == math.MinInt64:
			r.Suffix = math.MaxInt64
		case offset < 0:
			r.Suffix = -offset
		case length < 0:
			r.Offset = offset
		default:
			r.Offset, r.Length = offset, min(length, math.MaxInt64-offset)
		}
	})
}

// WithNoSync makes [DownloadFile] faster, but after a power failure there may be an empty
// file in place of the old one. Other downloads ignore it.
func WithNoSync() DownloadOption {
	return downloadOption(func(r *DownloadOptions) { r.NoSync = true })
}

// WithMaxGap sets the largest gap between two ranges that [ReadRanges] reads in one request: by
// default 128 KiB. With 0 it joins only ranges that touch.
func WithMaxGap(bytes int64) DownloadOption {
	return downloadOption(func(r *DownloadOptions) {
		atLeast(&r.err, "WithMaxGap", bytes, 0)
		r.MaxGap = &bytes
	})
}

type readerAtOption func(*readerAtRequest)

func (o readerAtOption) applyReaderAt(r *readerAtRequest) { o(r) }

// WithBlockSize sets the size in bytes of the blocks that ReaderAt fetches: at least 1, by
// default 64 KiB. Small ones suit scattered records.
func WithBlockSize(bytes int64) ReaderAtOption {
	return readerAtOption(func(r *readerAtRequest) {
		atLeast(&r.get.err, "WithBlockSize", bytes, 1)
		r.blockSize = bytes
	})
}

// WithBlockCache bounds the bytes of blocks that one [ReaderAt] keeps in memory: by default 8
// MiB, part of the [BufferLimit]. Each block takes 384 bytes more than its size. With 0 each
// ReadAt is one request of exactly its bytes.
func WithBlockCache(bytes int64) ReaderAtOption {
	return readerAtOption(func(r *readerAtRequest) {
		atLeast(&r.get.err, "WithBlockCache", bytes, 0)
		r.cacheBytes = bytes
	})
}

type versionOption string

func (o versionOption) set(to *string, failed *error) {
	if o == "" {
		fail(failed, "WithVersion", "must not be empty")
	}
	*to = string(o)
}
func (o versionOption) applyDownload(r *DownloadOptions)   { o.set(&r.Version, &r.err) }
func (o versionOption) applyAttrs(r *DownloadOptions)      { o.set(&r.Version, &r.err) }
func (o versionOption) applyReaderAt(r *readerAtRequest)   { o.applyAttrs(&r.get) }
func (o versionOption) applyRemove(r *RemoveOptions)       { o.set(&r.Version, &r.err) }
func (o versionOption) applyCopy(r *CopyOptions)           { o.set(&r.Version, &r.err) }
func (o versionOption) applySignedDownload(r *SignOptions) { o.set(&r.Version, &r.err) }
func (o versionOption) applySet(r *ChangeOptions)          { o.set(&r.Version, &r.err) }
func (o versionOption) applyRetention(r *ChangeOptions)    { o.applySet(r) }
func (o versionOption) applyRestore(r *ChangeOptions)      { o.applySet(r) }

// WithVersion selects one kept version, by [Attrs].Version or that of an entry.
func WithVersion(version string) VersionOption { return versionOption(version) }

type softDeletedOption struct{}

func (softDeletedOption) applyList(r *ListOptions)      { r.SoftDeleted = true }
func (softDeletedOption) applyRestore(r *ChangeOptions) { r.SoftDeleted = true }

// WithSoftDeleted makes Versions yield what was removed for good and can be brought back,
// and nothing else; Restore then brings it back.
func WithSoftDeleted() interface {
	ListOption // of Versions
	RestoreOption
} {
	return softDeletedOption{}
}

type listOption func(*ListOptions)

func (o listOption) applyList(r *ListOptions) { o(r) }

// WithPrefix lists the keys that begin with prefix, also within a segment.
func WithPrefix(prefix string) ListOption {
	return listOption(func(r *ListOptions) { r.Prefix = prefix })
}

// WithDelimiter groups keys: all keys that share the text up to the next delimiter, often "/", become one entry.
func WithDelimiter(delimiter string) ListOption {
	return listOption(func(r *ListOptions) { r.Delimiter = delimiter })
}

// WithStartAfter lists only entries, prefixes too, whose Key is greater.
func WithStartAfter(key string) ListOption {
	return listOption(func(r *ListOptions) { r.StartAfter = key })
}

// WithAnyOrder lets entries come in any order, each once. A bucket that lists in no order,
// such as a directory bucket of S3, lists only with it, and takes neither [WithStartAfter]
// nor a delimiter that its [Features] lack.
func WithAnyOrder() ListOption {
	return listOption(func(r *ListOptions) { r.AnyOrder = true })
}

// WithLimit ends the listing after n entries, at least 1.
func WithLimit(n int) ListOption {
	return listOption(func(r *ListOptions) {
		atLeast(&r.err, "WithLimit", n, 1)
		r.Limit = n
	})
}

// WithPageSize sets the entries of one request, up to the provider's maximum.
func WithPageSize(n int) ListOption {
	return listOption(func(r *ListOptions) {
		atLeast(&r.err, "WithPageSize", n, 1)
		r.PageSize = n
	})
}
