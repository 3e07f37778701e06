package storage

import (
	"math"

	"github.com/omnibucket/storage/internal/unexported"
)

// written points to the part that all requests for a write have in common.
type written struct {
	properties *Properties
	controls   *Controls
	condition  *Condition
	set        *unexported.Settings
}

type writeOption func(written)

func (o writeOption) applyUpload(r *UploadOptions) {
	o(written{&r.Properties, &r.Controls, &r.Condition, &r.set})
}
func (o writeOption) applyMultipart(r *UploadOptions) { o.applyUpload(r) }
func (o writeOption) applyCopy(r *CopyOptions) {
	o(written{&r.Properties, &r.Controls, &r.Condition, &r.set})
}
func (o writeOption) applySignedUpload(r *SignOptions) {
	o(written{&r.Properties, &r.Controls, &r.Condition, &r.set})
}

func propertyOption(p unexported.Property, set func(*Properties)) WriteOption {
	return writeOption(func(w written) {
		set(w.properties)
		w.set.Given |= p
	})
}

// WithContentType sets the media type, such as "image/png". If it is not type/subtype, the
// operation fails with InvalidArgument. The default is that of the key's extension, else
// that of the first 512 bytes, else "application/octet-stream"; a signed upload has no
// default. If the store lacks [ContentProperties], this option and those for other headers
// make the operation fail with Unsupported.
func WithContentType(mediaType string) WriteOption {
	return propertyOption(unexported.ContentType, func(p *Properties) { p.ContentType = mediaType })
}

// WithCacheControl sets the Cache-Control header that the object is served with.
func WithCacheControl(directives string) WriteOption {
	return propertyOption(unexported.CacheControl, func(p *Properties) { p.CacheControl = directives })
}

// WithContentDisposition sets the Content-Disposition header that the object
// is served with.
func WithContentDisposition(disposition string) WriteOption {
	return propertyOption(unexported.ContentDisposition, func(p *Properties) { p.ContentDisposition = disposition })
}

// WithContentEncoding declares how the bytes are encoded already, such as "gzip". This
// package neither encodes nor decodes them.
func WithContentEncoding(coding string) WriteOption {
	return propertyOption(unexported.ContentEncoding, func(p *Properties) { p.ContentEncoding = coding })
}

// WithContentLanguage sets the Content-Language header that the object is
// served with.
func WithContentLanguage(tag string) WriteOption {
	return propertyOption(unexported.ContentLanguage, func(p *Properties) { p.ContentLanguage = tag })
}

// WithMetadata sets the object's metadata, all of it: a write replaces what was there. A
// key has at most 64 letters, digits, "-" and "_", begins with a letter, and is folded to
// lower case. Keys that begin with "omnibucket" are the library's own. A value is text
// without control characters and without spaces at its ends. Keys and values take at most
// 2 KiB as stored. Metadata that breaks one of these rules is InvalidArgument.
// [EncodeMetadataValue] makes a value of any text, such as a file name that a user chose.
// If the store lacks [Metadata], the operation fails with Unsupported.
func WithMetadata(metadata map[string]string) WriteOption {
	return propertyOption(unexported.Metadata, func(p *Properties) { p.Metadata = metadata })
}

// WithStorageClass sets the storage class, by the provider's own name. Without it, Azure keeps that
// of the object which is replaced. If the store has none, the operation fails with Unsupported.
func WithStorageClass(class string) WriteOption {
	return propertyOption(unexported.StorageClass, func(p *Properties) { p.StorageClass = class })
}

// WithPublicRead makes this one object readable by anyone. If objects of the store have no
// access rule of their own, the operation fails with Unsupported.
func WithPublicRead() WriteOption {
	return writeOption(func(w written) { w.controls.PublicRead = true })
}

type sizeOption int64

func (o sizeOption) bytes(s *unexported.Settings) int64 {
	if o < 0 {
		fail(s, "WithSize", "must not be negative")
	}
	return int64(o)
}
func (o sizeOption) applyUpload(r *UploadOptions)     { r.Size = o.bytes(&r.set) }
func (o sizeOption) applyMultipart(r *UploadOptions)  { o.applyUpload(r) }
func (o sizeOption) applyPart(r *PartOptions)         { r.Size = o.bytes(&r.set) }
func (o sizeOption) applySignedPart(r *PartOptions)   { o.applyPart(r) }
func (o sizeOption) applyComplete(r *CompleteOptions) { r.Size = o.bytes(&r.set) }
func (o sizeOption) applySignedUpload(r *SignOptions) { r.Size = o.bytes(&r.set) }

// WithSize declares the length of the body in bytes. A body of another length stores
// nothing, and Upload fails with BodyFailed. If the store cannot enforce the length of a
// signed upload, signing fails with Unsupported.
func WithSize(bytes int64) SizeOption { return sizeOption(bytes) }

type crcOption uint32

func (o crcOption) applyUpload(r *UploadOptions)     { r.CRC32C = KnownCRC32C(uint32(o)) }
func (o crcOption) applyMultipart(r *UploadOptions)  { o.applyUpload(r) }
func (o crcOption) applyPart(r *PartOptions)         { r.CRC32C = KnownCRC32C(uint32(o)) }
func (o crcOption) applySignedPart(r *PartOptions)   { o.applyPart(r) }
func (o crcOption) applyComplete(r *CompleteOptions) { r.CRC32C = KnownCRC32C(uint32(o)) }
func (o crcOption) applySignedUpload(r *SignOptions) { r.CRC32C = KnownCRC32C(uint32(o)) }

// WithCRC32C declares the CRC32C (Castagnoli) of the body. A body with another checksum
// stores nothing, and the upload fails with ChecksumMismatch.
func WithCRC32C(sum uint32) SizeOption { return crcOption(sum) }

type nativeOption unexported.Native

func (o nativeOption) add(s *unexported.Settings) {
	s.Natives = append(s.Natives, unexported.Native(o))
}
func (o nativeOption) applyUpload(r *UploadOptions)       { o.add(&r.set) }
func (o nativeOption) applyMultipart(r *UploadOptions)    { o.add(&r.set) }
func (o nativeOption) applyDownload(r *DownloadOptions)   { o.add(&r.set) }
func (o nativeOption) applyAttrs(r *DownloadOptions)      { o.add(&r.set) }
func (o nativeOption) applyReaderAt(r *readerAtRequest)   { o.add(&r.get.set) }
func (o nativeOption) applyCopy(r *CopyOptions)           { o.add(&r.set) }
func (o nativeOption) applyRemove(r *RemoveOptions)       { o.add(&r.set) }
func (o nativeOption) applySignedUpload(r *SignOptions)   { o.add(&r.set) }
func (o nativeOption) applySignedDownload(r *SignOptions) { o.add(&r.set) }
func (o nativeOption) applySet(r *ChangeOptions)          { o.add(&r.set) }
func (o nativeOption) applyRetention(r *ChangeOptions)    { o.add(&r.set) }
func (o nativeOption) applyRestore(r *ChangeOptions)      { o.add(&r.set) }

// WithNative makes an option of a provider's package. On a bucket of another provider the
// operation fails with Unsupported.
func WithNative(provider string, value any) NativeOption {
	return nativeOption{Provider: provider, Value: value}
}

type sourceNativeOption unexported.Native

func (o sourceNativeOption) applyCopy(r *CopyOptions) {
	r.set.SourceNatives = append(r.set.SourceNatives, unexported.Native(o))
}

// WithSourceNative makes an option of a provider's package that holds for reading the sources of
// Copy and Compose, such as the key that a source was encrypted with. It fails as [WithNative]
// does.
func WithSourceNative(provider string, value any) CopyOption {
	return sourceNativeOption{Provider: provider, Value: value}
}

type withoutAttrsOption struct{}

func (withoutAttrsOption) applyCopy(r *CopyOptions) { r.set.WithoutAttrs = true }

// WithoutAttrs lets [Copy] leave the attributes of the source unread. On S3, a copy inside the
// store is then one request instead of two, unless another option sets a condition or replaces
// a property. Such a copy has the default storage class of its bucket. The returned Attrs have only
// Key and what the store answered, such as ETag, Revision and Version: Size is -1. If no response
// comes within two minutes, the size is read after all, and the copy is requested again with the time
// that an object of this size may take. Compose ignores the option.
func WithoutAttrs() CopyOption { return withoutAttrsOption{} }

type nativeAttrsOption struct{}

func (nativeAttrsOption) applyDownload(r *DownloadOptions) { r.NativeAttrs = true }
func (nativeAttrsOption) applyAttrs(r *DownloadOptions)    { r.NativeAttrs = true }
func (nativeAttrsOption) applyReaderAt(*readerAtRequest)   {} // it is for the request of Attrs, not for the bytes

// WithNativeAttrs keeps the provider's own answer in [Attrs], for [AttrsAs]. It may cost a slower
// way to make the request. A provider without answers of its own ignores it.
func WithNativeAttrs() ReadOption { return nativeAttrsOption{} }

type transferOption func(*unexported.Settings)

func (o transferOption) applyUpload(r *UploadOptions)     { o(&r.set) }
func (o transferOption) applyPart(r *PartOptions)         { o(&r.set) }
func (o transferOption) applyDownload(r *DownloadOptions) { o(&r.set) }
func (o transferOption) applyCopy(r *CopyOptions)         { o(&r.set) }

// WithPartSize sets the size of an upload's parts in bytes. A longer body is sent in parts
// of this size. The default is that of [WithDefaultPartSize]; without it, it depends on the
// body and the provider. If the size is outside
// the provider's bounds, the upload fails with InvalidArgument; if the provider has no
// parts, with Unsupported.
func WithPartSize(bytes int64) UploadOption {
	return transferOption(func(s *unexported.Settings) {
		if bytes < 1 {
			fail(s, "WithPartSize", "must be at least 1")
		}
		s.PartSize = bytes
	})
}

// WithConcurrency sets how many requests one transfer makes at once: n from the beginning, if the
// object is long enough. An upload and a download to a file make at most 1,000. With 1 there is
// one connection. If n is below 1, the operation fails with InvalidArgument.
//
// The [BufferLimit] bounds the buffers of all these requests, except for a download to a
// file, which needs 128 KiB for each.
//
// Without it a transfer finds the number itself. A download begins with one request. If
// much is left and its reader waits for the network, it fetches parallel ranges, 16 at most.
// A multipart upload of a file, or of another body that is read in place, begins with 16 parts
// at a time, and sends up to 32. Both stop where more requests no longer move more bytes. A
// stream sends each part as soon as it is read, with at most 64 MiB of parts in memory.
func WithConcurrency(n int) TransferOption {
	return transferOption(func(s *unexported.Settings) {
		if n < 1 {
			fail(s, "WithConcurrency", "must be at least 1")
		}
		s.Concurrency = int32(min(n, math.MaxInt32))
	})
}

// WithProgress calls report as bytes move, with the bytes done and the bytes in all; total
// is -1 while it is unknown. Only one goroutine at a time calls report, and done never
// decreases. report should return soon.
func WithProgress(report func(done, total int64)) TransferOption {
	return transferOption(func(s *unexported.Settings) { s.Progress = report })
}

type downloadOption func(*DownloadOptions)

func (o downloadOption) applyDownload(r *DownloadOptions) { o(r) }

// WithRange reads length bytes from offset, or fewer if the object ends earlier. A length
// below 0 reads to the end. An offset below 0, which needs a length below 0, reads the last
// -offset bytes. If the offset is past the end, Download fails with RangeNotSatisfiable.
func WithRange(offset, length int64) DownloadOption {
	return downloadOption(func(r *DownloadOptions) {
		r.Offset, r.Length, r.Suffix = 0, -1, 0
		switch {
		case offset < 0 && length >= 0:
			fail(&r.set, "WithRange", "with an offset below 0 takes a length below 0: the last -offset bytes")
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

// WithNoSync makes [DownloadFile] leave it to the operating system when the file is written
// to the disk. That is faster, but after a power failure there may be an empty file in place
// of the old one. Other downloads ignore it.
func WithNoSync() DownloadOption {
	return downloadOption(func(r *DownloadOptions) { r.set.NoSync = true })
}

// WithMaxGap sets how large a gap between two ranges may be, in bytes, for [ReadRanges] to read both
// ranges and the gap by one request. The default is 128 KiB; 0 merges only ranges that touch or overlap. Below 0 the
// operation fails with InvalidArgument. Other downloads ignore it.
func WithMaxGap(bytes int64) DownloadOption {
	return downloadOption(func(r *DownloadOptions) {
		if bytes < 0 {
			fail(&r.set, "WithMaxGap", "must not be negative")
		}
		r.set.MaxGap = &bytes
	})
}

type readerAtOption func(*readerAtRequest)

func (o readerAtOption) applyReaderAt(r *readerAtRequest) { o(r) }

// WithBlockSize sets the size of the blocks that [ReaderAt] fetches and keeps, in bytes. The
// default is 64 KiB. Larger blocks suit formats that read on from where they are, smaller ones
// records that are spread over the object. Below 1 NewReaderAt fails with InvalidArgument.
func WithBlockSize(bytes int64) ReaderAtOption {
	return readerAtOption(func(r *readerAtRequest) {
		if bytes < 1 {
			fail(&r.get.set, "WithBlockSize", "must be at least 1")
		}
		r.blockSize = bytes
	})
}

// WithBlockCache bounds the blocks that one [ReaderAt] keeps in memory, in bytes. The default is
// 8 MiB. A block counts for 384 bytes more than its size, which it takes in memory. Blocks are
// part of the bucket's [BufferLimit]. With 0 nothing is kept or read ahead: each
// ReadAt is one request of exactly its bytes. Below 0 NewReaderAt fails with InvalidArgument.
func WithBlockCache(bytes int64) ReaderAtOption {
	return readerAtOption(func(r *readerAtRequest) {
		if bytes < 0 {
			fail(&r.get.set, "WithBlockCache", "must not be negative")
		}
		r.cacheBytes = bytes
	})
}

type versionOption string

func (o versionOption) check(s *unexported.Settings) {
	s.Version = true
	if o == "" {
		fail(s, "WithVersion", "must not be empty")
	}
}
func (o versionOption) applyDownload(r *DownloadOptions)   { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applyAttrs(r *DownloadOptions)      { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applyReaderAt(r *readerAtRequest)   { o.applyAttrs(&r.get) }
func (o versionOption) applyRemove(r *RemoveOptions)       { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applyCopy(r *CopyOptions)           { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applySignedDownload(r *SignOptions) { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applySet(r *ChangeOptions)          { o.check(&r.set); r.Version = string(o) }
func (o versionOption) applyRetention(r *ChangeOptions)    { o.applySet(r) }
func (o versionOption) applyRestore(r *ChangeOptions)      { o.applySet(r) }

// WithVersion selects one kept version, by [Attrs].Version or [VersionEntry].Version. If it
// is empty or malformed, the operation fails with InvalidArgument; if the bucket keeps no
// versions, with Unsupported.
func WithVersion(version string) VersionOption { return versionOption(version) }

type listOption func(*ListOptions)

func (o listOption) applyList(r *ListOptions) { o(r) }

// WithPrefix lists the keys that begin with prefix, which may end within a segment.
func WithPrefix(prefix string) ListOption {
	return listOption(func(r *ListOptions) { r.Prefix = prefix })
}

// WithDelimiter lists all keys that have one common prefix up to a delimiter as one entry,
// like a folder. The delimiter is usually "/".
func WithDelimiter(delimiter string) ListOption {
	return listOption(func(r *ListOptions) { r.Delimiter = delimiter })
}

// WithStartAfter lists only entries, prefixes too, whose Key is greater than key.
func WithStartAfter(key string) ListOption {
	return listOption(func(r *ListOptions) { r.StartAfter = key })
}

// WithLimit ends the listing after n entries. If n is below 1, the operation fails with
// InvalidArgument.
func WithLimit(n int) ListOption {
	return listOption(func(r *ListOptions) {
		if n < 1 {
			fail(&r.set, "WithLimit", "must be at least 1")
		}
		r.Limit = n
	})
}

// WithPageSize sets how many entries one request returns, up to the provider's maximum.
// If n is below 1, the operation fails with InvalidArgument.
func WithPageSize(n int) ListOption {
	return listOption(func(r *ListOptions) {
		if n < 1 {
			fail(&r.set, "WithPageSize", "must be at least 1")
		}
		r.PageSize = n
	})
}
