package storage

import (
	"encoding/hex"
	"math"

	"github.com/omnibucket/storage/internal/metadata"
)

// written is the argument of a writeOption. It points to fields of an UploadOptions, a CopyOptions
// or a SignOptions. The same option can therefore set these fields in each of the three structs.
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

// propertyOption returns an option that sets one property, and marks it as set.
func propertyOption(p PropertySet, set func(*Properties)) WriteOption {
	return writeOption(func(w written) {
		set(w.properties)
		*w.set |= p
	})
}

// WithContentType sets the media type, such as text/plain. The default is the type of the key's
// extension, or otherwise of the first 512 bytes, or "application/octet-stream". A signed upload
// has no default.
func WithContentType(mediaType string) WriteOption {
	return propertyOption(ContentTypeSet, func(p *Properties) {
		p.ContentType = mediaType
	})
}

// WithCacheControl sets the Cache-Control header of the object.
func WithCacheControl(directives string) WriteOption {
	return propertyOption(CacheControlSet, func(p *Properties) {
		p.CacheControl = directives
	})
}

// WithContentDisposition sets the Content-Disposition header of the object.
func WithContentDisposition(disposition string) WriteOption {
	return propertyOption(ContentDispositionSet, func(p *Properties) {
		p.ContentDisposition = disposition
	})
}

// WithContentEncoding declares how the bytes are already encoded, such as "gzip". This package
// neither encodes nor decodes them. The encoding "identity" means none. Attrs returns it, but a
// download may lack it, as Google's do.
func WithContentEncoding(coding string) WriteOption {
	return propertyOption(ContentEncodingSet, func(p *Properties) {
		p.ContentEncoding = coding
	})
}

// WithContentLanguage sets the Content-Language header of the object.
func WithContentLanguage(tag string) WriteOption {
	return propertyOption(ContentLanguageSet, func(p *Properties) {
		p.ContentLanguage = tag
	})
}

// WithMetadata sets all metadata of the object. A write replaces the old metadata. A key has at
// most 64 letters, digits, "-" and "_". It begins with a letter, but not with "omnibucket", and is
// stored in lower case. A value is text without control characters and without spaces at its ends,
// such as [EncodeMetadataValue] makes from any text. All together take at most 2 KiB in the store.
func WithMetadata(metadata map[string]string) WriteOption {
	return propertyOption(MetadataSet, func(p *Properties) {
		p.Metadata = metadata
	})
}

// WithStorageClass sets the storage class, by the provider's own name. By default, an object on
// Azure that replaces another object gets its class.
func WithStorageClass(class string) WriteOption {
	return propertyOption(StorageClassSet, func(p *Properties) {
		p.StorageClass = class
	})
}

// WithPublicRead makes only this object readable by anyone.
func WithPublicRead() WriteOption {
	return writeOption(func(w written) {
		w.controls.PublicRead = true
	})
}

// A sizeOption sets the declared length or checksum of a body in the options struct of an
// operation.
type sizeOption func(size *int64, sum *CRC32C, failed *error)

func (o sizeOption) applyUpload(r *UploadOptions)     { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applyMultipart(r *UploadOptions)  { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applyPart(r *PartOptions)         { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applySignedPart(r *PartOptions)   { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applyComplete(r *CompleteOptions) { o(&r.Size, &r.CRC32C, &r.err) }
func (o sizeOption) applySignedUpload(r *SignOptions) { o(&r.Size, &r.CRC32C, &r.err) }

// WithSize declares the length of the body in bytes. If the body has another length, the upload
// fails with BodyFailed and stores nothing.
func WithSize(bytes int64) SizeOption {
	return sizeOption(func(size *int64, _ *CRC32C, err *error) {
		atLeast(err, "WithSize", bytes, 0)
		*size = bytes
	})
}

// WithCRC32C declares the CRC32C (Castagnoli) of the body. If the body has another checksum, nothing is stored, and the
// upload fails with ChecksumMismatch.
func WithCRC32C(sum uint32) SizeOption {
	return sizeOption(func(_ *int64, dst *CRC32C, _ *error) {
		*dst = CRC32C{Sum: sum, Known: true}
	})
}

type nativeOption NativeValue

func (o nativeOption) add(dst *[]NativeValue)             { *dst = append(*dst, NativeValue(o)) }
func (o nativeOption) applyUpload(r *UploadOptions)       { o.add(&r.Native) }
func (o nativeOption) applyMultipart(r *UploadOptions)    { o.applyUpload(r) }
func (o nativeOption) applyDownload(r *DownloadOptions)   { o.add(&r.Native) }
func (o nativeOption) applyAttrs(r *DownloadOptions)      { o.applyDownload(r) }
func (o nativeOption) applyReaderAt(r *readerAtRequest)   { o.applyDownload(&r.get) }
func (o nativeOption) applyCopy(r *CopyOptions)           { o.add(&r.Native) }
func (o nativeOption) applyRemove(r *RemoveOptions)       { o.add(&r.Native) }
func (o nativeOption) applySignedUpload(r *SignOptions)   { o.add(&r.Native) }
func (o nativeOption) applySignedDownload(r *SignOptions) { o.add(&r.Native) }
func (o nativeOption) applySignedRemove(r *SignOptions)   { o.add(&r.Native) }
func (o nativeOption) applySet(r *ChangeOptions)          { o.add(&r.Native) }
func (o nativeOption) applyRetention(r *ChangeOptions)    { o.applySet(r) }
func (o nativeOption) applyRestore(r *ChangeOptions)      { o.applySet(r) }

// WithNative passes an option of the provider's own to its driver. If the bucket has another
// provider, the call fails with Unsupported. The driver's package documents the values.
func WithNative(provider string, value any) NativeOption {
	return nativeOption{Provider: provider, Value: value}
}

type sourceNativeOption NativeValue

func (o sourceNativeOption) applyCopy(r *CopyOptions) {
	r.SourceNative = append(r.SourceNative, NativeValue(o))
}

// WithSourceNative is like [WithNative], but for the requests that read the sources of Copy and
// Compose.
func WithSourceNative(provider string, value any) CopyOption {
	return sourceNativeOption{Provider: provider, Value: value}
}

type withoutAttrsOption struct{}

func (withoutAttrsOption) applyCopy(r *CopyOptions) { r.WithoutAttrs = true }

// WithoutAttrs saves one of the two requests of a Copy within S3: the attributes of the source are
// not read. The copy has the default storage class. The returned Attrs have only the fields of the
// store's response, and Size is -1. The option has no effect if the Copy has a condition or
// replaces a property. If no response comes within two minutes, the size of the source is read, and
// the copy is repeated.
func WithoutAttrs() CopyOption { return withoutAttrsOption{} }

type nativeAttrsOption struct{}

func (nativeAttrsOption) applyDownload(r *DownloadOptions) { r.NativeAttrs = true }
func (nativeAttrsOption) applyAttrs(r *DownloadOptions)    { r.NativeAttrs = true }
func (nativeAttrsOption) applyReaderAt(*readerAtRequest)   {} // has no effect on reads of bytes

// WithNativeAttrs keeps the provider's own response in [Attrs], from which [AttrsAs] returns it.
// Not every store has such a response. The request may be slower.
func WithNativeAttrs() ReadOption { return nativeAttrsOption{} }

// An uploadOption fits only Upload.
type uploadOption func(*UploadOptions)

func (o uploadOption) applyUpload(r *UploadOptions) { o(r) }

type writeIDOption string

// set sets the write id of WithWriteID.
func (o writeIDOption) set(id *string, err *error) {
	_, hexErr := hex.DecodeString(string(o))
	if hexErr != nil || len(o) != metadata.WriteIDLength {
		fail(err, "WithWriteID", "must have 32 hexadecimal digits")
	}
	*id = string(o)
}
func (o writeIDOption) applyUpload(r *UploadOptions)  { o.set(&r.state.WriteID, &r.err) }
func (o writeIDOption) applyCopy(r *CopyOptions)      { o.set(&r.state.WriteID, &r.err) }
func (o writeIDOption) applyAttrs(r *DownloadOptions) { o.set(&r.state.WriteID, &r.err) }

// A WriteIDOption is [WithWriteID].
type WriteIDOption interface {
	UploadOption
	CopyOption
	AttrsOption
}

// WithWriteID names a write, so that another process can repeat it. id has 32 hexadecimal digits,
// and is random without this option. If the object already has this id, an earlier call has written
// it, and [IfAbsent] succeeds. For Attrs and Exists, an object with another id counts as missing.
// In a store without [Metadata], the option has no effect.
func WithWriteID(id string) WriteIDOption { return writeIDOption(id) }

type partSizeOption int64

func (o partSizeOption) applyUpload(r *UploadOptions) {
	atLeast(&r.err, "WithPartSize", o, 1)
	r.PartSize = int64(o)
}

// WithPartSize sets the size in bytes of the parts of an upload. A longer body is sent in several
// parts. The default is [WithDefaultPartSize], or otherwise depends on body and provider.
func WithPartSize(bytes int64) UploadOption {
	return partSizeOption(bytes)
}

type concurrencyOption int

func (o concurrencyOption) set(dst *int, err *error) {
	atLeast(err, "WithConcurrency", o, 1)
	*dst = int(o)
}
func (o concurrencyOption) applyUpload(r *UploadOptions)     { o.set(&r.Concurrency, &r.err) }
func (o concurrencyOption) applyPart(r *PartOptions)         { o.set(new(int), &r.err) } // checks the number only
func (o concurrencyOption) applyDownload(r *DownloadOptions) { o.set(&r.Concurrency, &r.err) }
func (o concurrencyOption) applyCopy(r *CopyOptions)         { o.set(&r.Concurrency, &r.err) }

// WithConcurrency sets the number of requests, at least 1, with which a transfer begins and that it
// makes in parallel. Uploads and downloads to a file make at most 1,000. A download to a file needs
// a buffer of 128 KiB for each request. The [BufferLimit] bounds all buffers.
//
// Without this option, a download begins with one request, and makes up to 16 if its reader waits
// for the network. A multipart upload of a file, or of another io.ReaderAt with Seek and Size,
// makes 16 to 32. A multipart upload of any other body holds at most 64 MiB of parts in memory,
// unless [WithPartSize] is given. If the parts are larger than 32 MiB, it holds two parts.
func WithConcurrency(n int) TransferOption {
	return concurrencyOption(n)
}

type progressOption func(done, total int64)

func (o progressOption) applyUpload(r *UploadOptions)     { r.Progress = o }
func (o progressOption) applyPart(r *PartOptions)         { r.Progress = o }
func (o progressOption) applyDownload(r *DownloadOptions) { r.Progress = o }
func (o progressOption) applyCopy(r *CopyOptions)         { r.Progress = o }

// WithProgress calls report as bytes are transferred. total is -1 while it is unknown, and done
// never decreases. Calls do not overlap, and should return soon.
func WithProgress(report func(done, total int64)) TransferOption {
	return progressOption(report)
}

type downloadOption func(*DownloadOptions)

func (o downloadOption) applyDownload(r *DownloadOptions) { o(r) }

// WithRange reads a part of the object. WithRange(5, 10) reads 10 bytes from offset 5, or fewer if
// the object ends earlier. WithRange(5, -1) reads from offset 5 to the end, and WithRange(-5, -1)
// the last 5 bytes. An offset below 0 fits only the length -1. If the offset is past the end, the
// read fails with RangeNotSatisfiable.
func WithRange(offset, length int64) DownloadOption {
	return downloadOption(func(r *DownloadOptions) {
		// These values read the whole object.
		r.Offset = 0
		r.Length = -1
		r.Suffix = 0

		switch {
		case offset < 0 && length >= 0:
			fail(&r.err, "WithRange", "with an offset below 0 takes a length below 0: the last -offset bytes")
		case offset == math.MinInt64:
			r.Suffix = math.MaxInt64 // -offset would overflow
		case offset < 0:
			r.Suffix = -offset
		case length < 0:
			r.Offset = offset
		default:
			r.Offset = offset
			r.Length = min(length, math.MaxInt64-offset) // so that offset + Length does not overflow
		}
	})
}

// WithNoSync makes [DownloadFile] faster, because it does not sync the file to the disk. After a
// power failure, there may be an empty file in place of the old one.
func WithNoSync() DownloadOption {
	return downloadOption(func(r *DownloadOptions) {
		r.NoSync = true
	})
}

// WithMaxGap sets the largest gap in bytes between two ranges that [ReadRanges] reads by one
// request. The default is 128 KiB. With 0, only adjacent ranges are read by one request.
func WithMaxGap(bytes int64) DownloadOption {
	return downloadOption(func(r *DownloadOptions) {
		atLeast(&r.err, "WithMaxGap", bytes, 0)
		r.MaxGap = &bytes
	})
}

type readerAtOption func(*readerAtRequest)

func (o readerAtOption) applyReaderAt(r *readerAtRequest) { o(r) }

// WithBlockSize sets the size in bytes of the blocks that ReaderAt fetches, at least 1, by default
// 64 KiB. Small blocks suit scattered records.
func WithBlockSize(bytes int64) ReaderAtOption {
	return readerAtOption(func(r *readerAtRequest) {
		atLeast(&r.get.err, "WithBlockSize", bytes, 1)
		r.blockSize = bytes
	})
}

// WithBlockCache sets how many bytes of blocks one [ReaderAt] keeps in memory, by default 8 MiB.
// They count toward the [BufferLimit], each with 384 bytes more. With 0, nothing is cached, and
// each ReadAt makes one request for exactly its bytes.
func WithBlockCache(bytes int64) ReaderAtOption {
	return readerAtOption(func(r *readerAtRequest) {
		atLeast(&r.get.err, "WithBlockCache", bytes, 0)
		r.cacheBytes = bytes
	})
}

type versionOption string

// set sets the version of WithVersion.
func (o versionOption) set(dst *string, err *error) {
	if o == "" {
		fail(err, "WithVersion", "must not be empty")
	}
	*dst = string(o)
}
func (o versionOption) applyDownload(r *DownloadOptions)   { o.set(&r.Version, &r.err) }
func (o versionOption) applyAttrs(r *DownloadOptions)      { o.set(&r.Version, &r.err) }
func (o versionOption) applyReaderAt(r *readerAtRequest)   { o.applyAttrs(&r.get) }
func (o versionOption) applyRemove(r *RemoveOptions)       { o.set(&r.Version, &r.err) }
func (o versionOption) applyCopy(r *CopyOptions)           { o.set(&r.Version, &r.err) }
func (o versionOption) applySignedDownload(r *SignOptions) { o.set(&r.Version, &r.err) }
func (o versionOption) applySignedRemove(r *SignOptions)   { o.set(&r.Version, &r.err) }
func (o versionOption) applySet(r *ChangeOptions)          { o.set(&r.Version, &r.err) }
func (o versionOption) applyRetention(r *ChangeOptions)    { o.applySet(r) }
func (o versionOption) applyRestore(r *ChangeOptions)      { o.applySet(r) }

// WithVersion selects one kept version. version is the field Version of [Attrs] or of a
// [VersionEntry].
func WithVersion(version string) VersionOption { return versionOption(version) }

type softDeletedOption struct{}

func (softDeletedOption) applyList(r *ListOptions)      { r.SoftDeleted = true }
func (softDeletedOption) applyRestore(r *ChangeOptions) { r.SoftDeleted = true }

// WithSoftDeleted makes Versions yield only removed objects that soft delete has kept, and makes
// [Restore] bring back such an object.
func WithSoftDeleted() SoftDeletedOption { return softDeletedOption{} }

// A SoftDeletedOption is [WithSoftDeleted].
type SoftDeletedOption interface {
	ListOption // for Versions
	RestoreOption
}

type listOption func(*ListOptions)

func (o listOption) applyList(r *ListOptions) { o(r) }

// WithPrefix lists only keys that begin with prefix, which need not end at a slash.
func WithPrefix(prefix string) ListOption {
	return listOption(func(r *ListOptions) {
		r.Prefix = prefix
	})
}

// WithDelimiter groups keys: all that share the text up to the next delimiter become one entry.
// With "/" and WithPrefix("photos/"), the listing is that of the folder photos.
func WithDelimiter(delimiter string) ListOption {
	return listOption(func(r *ListOptions) {
		r.Delimiter = delimiter
	})
}

// WithStartAfter lists only objects and common prefixes that are greater than key.
func WithStartAfter(key string) ListOption {
	return listOption(func(r *ListOptions) {
		r.StartAfter = key
	})
}

// WithAnyOrder permits the listing to yield the entries in any order, each of them once. Buckets
// that do not list in byte order need this option, such as a directory bucket of S3. WithStartAfter
// is then not supported, and the only delimiter is "/".
func WithAnyOrder() ListOption {
	return listOption(func(r *ListOptions) {
		r.AnyOrder = true
	})
}

// WithLimit ends the listing after n entries, where n is at least 1.
func WithLimit(n int) ListOption {
	return listOption(func(r *ListOptions) {
		atLeast(&r.err, "WithLimit", n, 1)
		r.Limit = n
	})
}

// WithPageSize sets how many entries, at least 1, the listing gets with one request. If n is above
// the provider's maximum, the maximum applies.
func WithPageSize(n int) ListOption {
	return listOption(func(r *ListOptions) {
		atLeast(&r.err, "WithPageSize", n, 1)
		r.PageSize = n
	})
}

// nativeReads returns an option of reads that sets the native options. If auxiliary is true, they
// were given for another operation, so those that do not fit a read are ignored.
func nativeReads(natives []NativeValue, auxiliary bool) []DownloadOption {
	if len(natives) == 0 {
		return nil
	}
	return []DownloadOption{downloadOption(func(r *DownloadOptions) {
		r.Native = append(r.Native, natives...)
		r.state.Auxiliary = auxiliary
	})}
}
