// Package listing puts listings of objects and versions in the order of keys. InOrder lists a bucket of any store.
package listing

import (
	"context"
	"encoding/binary"
	"iter"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// Memory is the number of bytes of a listing or an inventory that are sorted in memory. A
// longer list is sorted in temporary files.
const Memory = 32 << 20

// InOrder lists the objects with a prefix in the order of keys, and sorts the listing of a store that
// has no order.
func InOrder(ctx context.Context, src storage.Lister, prefix string) iter.Seq2[storage.ListEntry, error] {
	if storage.Supports(src, storage.OrderedListing) {
		return src.List(ctx, storage.WithPrefix(prefix))
	}
	unordered := src.List(ctx, storage.WithPrefix(prefix), storage.WithAnyOrder())
	return SortByKey(ctx, unordered, Memory)
}

// SortByKey yields the entries of a listing in the order of their keys, each key once. It uses up to
// memory bytes of memory, and temporary files for the rest.
func SortByKey(
	ctx context.Context, list iter.Seq2[storage.ListEntry, error], memory int,
) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		last := ""
		for v, err := range SortVersions(ctx, asVersions(list), memory) {
			if err == nil && v.Key == last {
				continue
			}
			last = v.Key
			if !yield(v.ListEntry, err) {
				return
			}
		}
	}
}

// SortVersions yields rows in the order of their keys, and those of one key from the newest to the
// oldest. If two have the same time, the current version comes first. It uses up to memory bytes of
// memory, and temporary files for the rest.
func SortVersions(
	ctx context.Context, rows iter.Seq2[storage.VersionEntry, error], memory int,
) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		sorter := keysort.New(memory)
		// The files are temporary, so an error does not matter.
		defer sorter.Close()

		if err := addVersions(ctx, sorter, rows); err != nil {
			yield(storage.VersionEntry{}, err)
			return
		}
		for record, err := range sorter.Sorted(ctx) {
			if err != nil {
				yield(storage.VersionEntry{}, joberror.OfTempFile("sort", "", err))
				return
			}
			if !yield(decodeVersion(record), nil) {
				return
			}
		}
	}
}

// The kinds of rows. Rows of one key with the same time are sorted in this order.
const (
	currentVersion byte = iota
	deleteMarker
	oldVersion
)

// addVersions adds all rows to the sorter.
func addVersions(
	ctx context.Context, sorter *keysort.Sorter, rows iter.Seq2[storage.VersionEntry, error],
) error {
	var value []byte
	for v, err := range rows {
		if err != nil {
			return err
		}
		value = encodeVersion(value[:0], &v)
		if err := sorter.Add(ctx, []byte(v.Key), value); err != nil {
			return joberror.OfTempFile("sort", "", err)
		}
	}
	return nil
}

// encodeVersion appends all fields of an entry except its key to dst. The bytes of a newer version
// compare as less than those of an older one.
func encodeVersion(dst []byte, v *storage.VersionEntry) []byte {
	kind := oldVersion
	switch {
	case v.Current:
		kind = currentVersion
	case v.IsDeleteMarker:
		kind = deleteMarker
	}

	// The complement of the time puts newer versions first. At equal times, the kind decides.
	dst = binary.BigEndian.AppendUint64(dst, ^uint64(nanoseconds(v.Modified)))
	dst = append(dst, kind)
	dst = binary.AppendVarint(dst, nanoseconds(v.NoncurrentSince))
	dst = binary.AppendUvarint(dst, uint64(v.Size))
	for _, text := range []string{v.ETag, v.Revision, v.Version} {
		dst = binary.AppendUvarint(dst, uint64(len(text)))
		dst = append(dst, text...)
	}
	return dst
}

// decodeVersion returns the entry of a record whose value encodeVersion has made.
func decodeVersion(r keysort.Record) storage.VersionEntry {
	v := storage.VersionEntry{ListEntry: storage.ListEntry{Key: string(r.Key)}}

	// The complement of the time has 8 bytes, and the kind has one.
	const kindIndex = 8
	v.Modified = timeOf(int64(^binary.BigEndian.Uint64(r.Value)))
	kind := r.Value[kindIndex]
	v.Current = kind == currentVersion
	v.IsDeleteMarker = kind == deleteMarker

	// The other fields have variable lengths.
	rest := r.Value[kindIndex+1:]
	ns, n := binary.Varint(rest)
	v.NoncurrentSince = timeOf(ns)
	rest = rest[n:]

	size, n := binary.Uvarint(rest)
	v.Size = int64(size)
	rest = rest[n:]

	for _, text := range []*string{&v.ETag, &v.Revision, &v.Version} {
		length, n := binary.Uvarint(rest)
		*text = string(rest[n : n+int(length)])
		rest = rest[n+int(length):]
	}
	return v
}

// nanoseconds returns a time in nanoseconds since 1970, or 0 for the zero time.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// timeOf is the inverse of nanoseconds: it returns a time in nanoseconds since 1970, and the zero time
// for 0.
func timeOf(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}
