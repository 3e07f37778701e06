package hostile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An operation is one call of a bucket that is tried with the faults.
type operation struct {
	name   string
	needs  storage.Features
	single bool // true if the first response decides the result
	// True if the operation reads an object's bytes. The body of its response may then be long.
	reads bool
	// True if the operation sends many bytes. It is then tried with only a few faults.
	large bool
	// True if RunStatuses may try all statuses with the operation, and not only the usual ones.
	allStatuses bool
	sweeps      bool // true if only RunStatuses tries the operation
	// A call that another writer makes. The proxy makes the call once, before it sends the first
	// broken response to a write.
	otherWriter func(context.Context, storage.Bucket) error
	lists       bool // true if it lists objects in pages
	pages       bool // true for listings of versions, uploads or buckets
	marked      bool // true if the bucket is opened with WithVersioning
	// The operation, if it is one of an account. For an operation of a bucket, account is nil.
	account func(context.Context, *suite, storage.Service) error
	// True if the requests contain a customer's key. Then only the response to the first request is
	// broken.
	keyed   bool
	prepare func(context.Context, storage.Bucket) error // prepares the bucket, without faults
	undo    func(context.Context, storage.Bucket) error // removes the objects of prepare; no fault occurs
	do      func(ctx context.Context, b storage.Bucket) error
	// tookEffect reports whether the operation took effect. It fails if the bucket is neither in the
	// state before nor in the state after the operation. It is nil if the operation has no effect.
	tookEffect func(context.Context, storage.Bucket) (bool, error)
}

const (
	before = "the content before"
	after  = "the content after, which is longer"
)

var (
	listed   = []string{"a", "b", "c/1", "c/2", "d"}
	tags     = map[string]string{"kind": "new"}
	metadata = map[string]string{"author": "nobody"}
)

// operations returns all operations, also those that the store does not support.
func operations(s *Store, desc *driver.Description) []operation {
	all := append(moreWrites(desc), []operation{
		{
			name:        "Upload",
			allStatuses: true,
			single:      true,
			prepare:     putObjects("a"),
			tookEffect:  isReplaced("a", before, after),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := b.Upload(ctx, "a", strings.NewReader(after))
				return err
			},
		},
		{
			name:        "Upload with IfAbsent",
			allStatuses: true,
			needs:       storage.ConditionalCreate,
			single:      true,
			tookEffect:  isReplaced("a", "", after),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := b.Upload(ctx, "a", strings.NewReader(after), storage.IfAbsent())
				return err
			},
		},
		uploadInParts(desc),
		{
			name:        "Copy",
			allStatuses: true,
			needs:       storage.ServerCopy,
			prepare:     putObjects("a"),
			tookEffect:  isReplaced("copy", "", before),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Copy(ctx, b, "copy", b, "a")
				return err
			},
		},
		{
			name:        "Remove",
			allStatuses: true,
			single:      true,
			prepare:     putObjects("a"),
			tookEffect:  isReplaced("a", before, ""),
			do:          func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "a") },
		},
		{
			name:        "RemoveAll",
			allStatuses: true,
			prepare:     putObjects("a", "b", "d"),
			tookEffect:  isRemoved("a", "b", "d"),
			do: func(ctx context.Context, b storage.Bucket) error {
				n, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b", "d"}))
				if err == nil && n != 3 {
					return wrongResult(fmt.Sprintf("%d of 3 objects are removed", n))
				}
				return err
			},
		},
		{
			name:        "SetTags",
			allStatuses: true,
			needs:       storage.ObjectTags,
			prepare:     putObjects("a"),
			tookEffect:  tagged,
			do:          func(ctx context.Context, b storage.Bucket) error { return storage.SetTags(ctx, b, "a", tags) },
		},
		{name: "Tags", needs: storage.ObjectTags, prepare: putObjects("a"), do: readTags},
		{name: "Attrs", prepare: putObjects("a"), do: readAttrs},
		{
			name:    "Download",
			reads:   true,
			prepare: putObjects("a"),
			do:      func(ctx context.Context, b storage.Bucket) error { return download(ctx, b, before) },
		},
		{
			name:    "Download of a range",
			reads:   true,
			prepare: putObjects("a"),
			do: func(ctx context.Context, b storage.Bucket) error {
				return download(ctx, b, before[4:11], storage.WithRange(4, 7))
			},
		},
		{
			name:    "List",
			lists:   true,
			prepare: putObjects(listed...),
			do: func(ctx context.Context, b storage.Bucket) error {
				return list(ctx, b, listed, storage.WithPageSize(2))
			},
		},
		{
			name:    "List with a delimiter",
			lists:   true,
			prepare: putObjects(listed...),
			do: func(ctx context.Context, b storage.Bucket) error {
				return list(ctx, b, []string{"a", "b", "c/", "d"}, storage.WithDelimiter("/"))
			},
		},
		{
			name:    "Versions",
			needs:   storage.Versioning,
			marked:  true,
			pages:   true,
			prepare: putObjects("a", "b"),
			do: func(ctx context.Context, b storage.Bucket) error {
				keyOf := func(v storage.VersionEntry) string { return v.Key }
				return checkKeys(storage.Versions(ctx, b), keyOf, "a", "b")
			},
		},
		{
			name:    "ListUploads",
			needs:   storage.ListedUploads,
			pages:   true,
			prepare: beginUploads("a"),
			undo:    abortAll,
			do: func(ctx context.Context, b storage.Bucket) error {
				return checkKeys(storage.ListUploads(ctx, b), func(u storage.UploadEntry) string { return u.Key }, "a")
			},
		},
	}...)

	if s.OpenService != nil {
		all = append(
			all,
			operation{
				name:  "Buckets",
				pages: true,
				account: func(ctx context.Context, s *suite, service storage.Service) error {
					for bucket, err := range service.Buckets(ctx) {
						if err != nil || bucket.Name == s.desc.Bucket {
							return err
						}
					}
					return wrongResult("the listing does not have the bucket")
				},
			},
		)
	}

	if s.CustomerKey != nil {
		all = append(all, withKey(s.CustomerKey)...)
	}
	return all
}

// withKey returns operations whose requests contain a customer's encryption key.
func withKey(key storage.NativeOption) []operation {
	return []operation{
		{
			name:       "Upload with a customer's key",
			keyed:      true,
			single:     true,
			prepare:    putObjects("a"),
			tookEffect: isReplaced("a", before, after),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := b.Upload(ctx, "a", strings.NewReader(after), key)
				return err
			},
		},
		{
			name:    "Attrs with a customer's key",
			keyed:   true,
			prepare: putObjects("a"),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := b.Attrs(ctx, "a", key)
				return err
			},
		},
		{
			name:    "Download with a customer's key",
			keyed:   true,
			reads:   true,
			prepare: putObjects("a"),
			do:      func(ctx context.Context, b storage.Bucket) error { return download(ctx, b, before, key) },
		},
	}
}

// uploadInParts returns the operation that uploads an object in two parts.
func uploadInParts(desc *driver.Description) operation {
	opts := []storage.UploadOption{
		storage.WithPartSize(partSize(desc)),
		storage.WithConcurrency(1),
	}
	content := inParts(desc)
	return operation{
		name:       "Upload in parts",
		large:      true,
		needs:      storage.MultipartUploads,
		prepare:    putObjects("a"),
		tookEffect: isReplaced("a", before, content),
		do: func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "a", strings.NewReader(content), opts...)
			return err
		},
	}
}

// putObjects returns a function that uploads an object under each key, to prepare a bucket.
func putObjects(keys ...string) func(context.Context, storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error {
		var opts []storage.UploadOption
		if storage.Supports(b, storage.Metadata) {
			opts = append(opts, storage.WithMetadata(metadata))
		}
		for _, key := range keys {
			if _, err := b.Upload(ctx, key, strings.NewReader(before), opts...); err != nil {
				return err
			}
		}
		return nil
	}
}

// isReplaced returns a function that reports whether an object has newText instead of oldText. The
// text "" stands for a missing object, and any other content is an error.
func isReplaced(key, oldText, newText string) func(context.Context, storage.Bucket) (bool, error) {
	return func(ctx context.Context, b storage.Bucket) (bool, error) {
		content, _, err := storage.ReadAll(ctx, b, key)
		if err != nil && !errors.Is(err, storage.ObjectNotFound) {
			return false, err
		}
		if string(content) == newText {
			return true, nil
		}
		if string(content) == oldText {
			return false, nil
		}
		return false, fmt.Errorf("the object has %d bytes, which are neither of the two contents", len(content))
	}
}

// isRemoved returns a function that reports whether none of the keys exists.
func isRemoved(keys ...string) func(context.Context, storage.Bucket) (bool, error) {
	return func(ctx context.Context, b storage.Bucket) (bool, error) {
		for _, key := range keys {
			exists, err := b.Exists(ctx, key)
			if err != nil {
				return false, err
			}
			if exists {
				return false, nil
			}
		}
		return true, nil
	}
}

// tagged reports whether SetTags took effect.
func tagged(ctx context.Context, b storage.Bucket) (bool, error) {
	got, err := storage.Tags(ctx, b, "a")
	return maps.Equal(got, tags), err
}

// readTags reads the tags of "a", and requires that there are none.
func readTags(ctx context.Context, b storage.Bucket) error {
	got, err := storage.Tags(ctx, b, "a")
	if err != nil {
		return err
	}
	if len(got) != 0 {
		return wrongResult(fmt.Sprintf("the object has the tags %v", got))
	}
	return nil
}

// readAttrs reads the attributes of "a", and checks them.
func readAttrs(ctx context.Context, b storage.Bucket) error {
	attrs, err := b.Attrs(ctx, "a")
	if err != nil {
		return err
	}
	return checkAttrs(b, attrs)
}

// checkAttrs returns a wrongResult if the size or the metadata is not that of an object from putObjects.
func checkAttrs(b storage.Bucket, attrs *storage.Attrs) error {
	if attrs.Size != int64(len(before)) {
		return wrongResult(fmt.Sprintf("the size is %d", attrs.Size))
	}
	if storage.Supports(b, storage.Metadata) && !maps.Equal(attrs.Metadata, metadata) {
		return wrongResult(fmt.Sprintf("the metadata is %v", attrs.Metadata))
	}
	return nil
}

// download reads "a", and returns a wrongResult if its content is not want or its attributes are
// wrong.
func download(ctx context.Context, b storage.Bucket, want string, opts ...storage.DownloadOption) error {
	content, attrs, err := storage.ReadAll(ctx, b, "a", opts...)
	if err != nil {
		return err
	}
	if string(content) != want {
		return wrongResult(fmt.Sprintf("the content is %.100q", content))
	}
	return checkAttrs(b, attrs)
}

// beginUploads returns a function that begins an upload of each key and stores one part, because
// some stores list no upload without parts.
func beginUploads(keys ...string) func(context.Context, storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error {
		for _, key := range keys {
			u, err := storage.BeginUpload(ctx, b, key)
			if err != nil {
				return err
			}
			if _, err := u.PutPart(ctx, 1, strings.NewReader(before)); err != nil {
				return err
			}
		}
		return nil
	}
}

// abortAll aborts the uploads of a test, because on a store such as Azure each listing of uploads
// reads those of all tests.
func abortAll(ctx context.Context, b storage.Bucket) error {
	for upload, err := range storage.ListUploads(ctx, b) {
		if err != nil {
			return err
		}
		if err := storage.AbortUpload(ctx, b, upload); err != nil {
			return err
		}
	}
	return nil
}

// checkKeys reads a listing, and returns a wrongResult if it does not have the keys want, in this order.
// key returns the key of an entry, whose type E depends on the kind of listing.
func checkKeys[E any](entries iter.Seq2[E, error], key func(E) string, want ...string) error {
	var got []string
	for entry, err := range entries {
		if err != nil {
			return err
		}
		got = append(got, key(entry))
	}
	if !slices.Equal(got, want) {
		return wrongResult(fmt.Sprintf("the listing is %q", got))
	}
	return nil
}

// list lists objects. If the listing does not have the wanted keys, it returns a wrongResult.
func list(ctx context.Context, b storage.Bucket, want []string, opts ...storage.ListOption) error {
	return checkKeys(b.List(ctx, opts...), func(entry storage.ListEntry) string { return entry.Key }, want...)
}
