package storagetest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A refusal lists, by name, the calls that use a feature. Without the feature, each call must fail
// with Unsupported and make no request. Features that only make calls faster, such as StreamingPut,
// have no refusal.
type refusal struct {
	feature storage.Features
	calls   func(t *T, b storage.Bucket) map[string]error
}

var refusals = []refusal{
	{storage.MultipartUploads, func(t *T, b storage.Bucket) map[string]error {
		_, err := b.Upload(t.Context(), "new", strings.NewReader("x"), storage.WithPartSize(t.unit))
		return map[string]error{"WithPartSize": err}
	}},
	{storage.ConditionalCreate, func(t *T, b storage.Bucket) map[string]error {
		_, upload := b.Upload(t.Context(), "new", strings.NewReader("x"), storage.IfAbsent())
		_, streamed := b.Upload(t.Context(), "new", stream("x"), storage.IfAbsent())
		_, err := storage.Copy(t.Context(), b, "new", b, "key", storage.IfAbsent())
		_, composed := storage.Compose(t.Context(), b, "new", []string{"key"}, storage.IfAbsent())
		_, moved := storage.Move(t.Context(), b, "key", "new", storage.IfAbsent())
		_, appended := storage.Append(t.Context(), b, "key", []byte("x"))
		return map[string]error{
			"Upload":             upload,
			"Upload of a stream": streamed,
			"Copy":               err,
			"Compose":            composed,
			"Move":               moved,
			"Append":             appended,
		}
	}},
	{storage.ConditionalUpdate, func(t *T, b storage.Bucket) map[string]error {
		revision := t.desc.Provider + ":1"
		_, upload := b.Upload(t.Context(), "key", strings.NewReader("x"), storage.IfRevision(revision))
		_, err := storage.Copy(t.Context(), b, "key", b, "key", storage.IfRevision(revision))
		_, appended := storage.Append(t.Context(), b, "key", []byte("x"))
		return map[string]error{"Upload": upload, "Copy": err, "Append": appended}
	}},
	{storage.ConditionalRemove, func(t *T, b storage.Bucket) map[string]error {
		return map[string]error{"Remove": b.Remove(t.Context(), "key", storage.IfRevision(t.desc.Provider+":1"))}
	}},
	{storage.Versioning, func(t *T, b storage.Bucket) map[string]error {
		errs := map[string]error{"Remove": b.Remove(t.Context(), "key", storage.WithVersion("1"))}
		_, errs["Download"] = b.Download(t.Context(), "key", storage.WithVersion("1"))
		_, errs["Attrs"] = b.Attrs(t.Context(), "key", storage.WithVersion("1"))
		_, errs["Exists"] = b.Exists(t.Context(), "key", storage.WithVersion("1"))
		_, errs["Copy"] = storage.Copy(t.Context(), b, "new", b, "key", storage.WithVersion("1"))
		for _, err := range storage.Versions(t.Context(), b) {
			errs["Versions"] = err
		}
		return errs
	}},
	{storage.SignedURLs, func(t *T, b storage.Bucket) map[string]error {
		_, upload := b.SignedUploadURL(t.Context(), "key")
		_, download := b.SignedDownloadURL(t.Context(), "key")
		return map[string]error{"SignedUploadURL": upload, "SignedDownloadURL": download}
	}},
	{storage.SignedSize, func(t *T, b storage.Bucket) map[string]error {
		_, err := b.SignedUploadURL(t.Context(), "key", storage.WithSize(1))
		return map[string]error{"WithSize": err}
	}},
	{storage.SignedIfAbsent, func(t *T, b storage.Bucket) map[string]error {
		_, err := b.SignedUploadURL(t.Context(), "key", storage.IfAbsent())
		return map[string]error{"IfAbsent": err}
	}},
	{storage.SignedContentType, func(*T, storage.Bucket) map[string]error {
		// Without the feature, the client sends the type as a header. Rule S2 permits that, so
		// nothing is refused.
		return nil
	}},
	{storage.SignedHead, func(t *T, b storage.Bucket) map[string]error {
		_, err := b.SignedDownloadURL(t.Context(), "key", storage.WithMethod(http.MethodHead))
		return map[string]error{"WithMethod": err}
	}},
	{storage.SignedRemovals, func(t *T, b storage.Bucket) map[string]error {
		_, err := storage.SignedRemoveURL(t.Context(), b, "key")
		return map[string]error{"SignedRemoveURL": err}
	}},
	{storage.StableURLs, func(t *T, b storage.Bucket) map[string]error {
		_, err := b.SignedDownloadURL(t.Context(), "key", storage.WithStableFor(time.Hour))
		return map[string]error{"WithStableFor": err}
	}},
	{storage.SignedTags, func(t *T, b storage.Bucket) map[string]error {
		_, err := b.SignedUploadURL(t.Context(), "key", storage.WithTags(map[string]string{"k": "v"}))
		return map[string]error{"WithTags": err}
	}},
	{storage.SignedLocks, func(t *T, b storage.Bucket) map[string]error {
		_, retention := b.SignedUploadURL(t.Context(), "key",
			storage.WithRetention(time.Now().Add(time.Hour), storage.Governance))
		_, hold := b.SignedUploadURL(t.Context(), "key", storage.WithLegalHold())
		return map[string]error{"WithRetention": retention, "WithLegalHold": hold}
	}},
	{storage.SignedForms, func(t *T, b storage.Bucket) map[string]error {
		_, err := storage.SignedUploadForm(t.Context(), b, "key", 0, 10)
		return map[string]error{"SignedUploadForm": err}
	}},
	{storage.Vending, func(t *T, b storage.Bucket) map[string]error {
		_, err := storage.Vend(t.Context(), b, "", storage.Rights{Read: true}, time.Hour)
		return map[string]error{"Vend": err}
	}},
	{storage.ObjectACLs, func(t *T, b storage.Bucket) map[string]error {
		_, upload := b.Upload(t.Context(), "new", strings.NewReader("x"), storage.WithPublicRead())
		_, err := storage.Copy(t.Context(), b, "new", b, "key", storage.WithPublicRead())
		return map[string]error{"Upload": upload, "Copy": err}
	}},
	{storage.StorageClasses, func(t *T, b storage.Bucket) map[string]error {
		_, upload := b.Upload(t.Context(), "new", strings.NewReader("x"), storage.WithStorageClass("COLD"))
		_, err := storage.Copy(t.Context(), b, "new", b, "key", storage.WithStorageClass("COLD"))
		return map[string]error{"Upload": upload, "Copy": err}
	}},
	{storage.OrderedListing, anyOrderRefused},
	{storage.Metadata, metadataRefused},
	{storage.ContentProperties, contentPropertiesRefused},
	{storage.LongSegments, longSegmentsRefused},
	{storage.LeadingSlashes, leadingSlashesRefused},
	{storage.KeysBesideFolders, keysBesideFoldersRefused},
	{storage.StoredChecksums, checksumsNotStored},
	{storage.ObjectTags, tagsRefused},
	{storage.ObjectLock, func(t *T, b storage.Bucket) map[string]error {
		errs := locksRefused(t, b)
		errs["WithGovernanceBypass"] = b.Remove(t.Context(), "key", storage.WithGovernanceBypass())
		return errs
	}},
	{storage.OpenUploads, func(t *T, b storage.Bucket) map[string]error {
		_, err := storage.BeginUpload(t.Context(), b, "new")
		return map[string]error{"BeginUpload": err}
	}},
	{storage.ListedUploads, func(t *T, b storage.Bucket) map[string]error {
		errs := map[string]error{}
		for _, err := range storage.ListUploads(t.Context(), b) {
			errs["ListUploads"] = err
		}
		return errs
	}},
	{storage.SignedPartChecksums, func(*T, storage.Bucket) map[string]error {
		return nil // tested by cases of rule U4, about signed parts
	}},
	{storage.SignedParts, func(*T, storage.Bucket) map[string]error {
		// A signed part needs an upload in progress. Cases of rule U4 test that a store without
		// SignedParts refuses to sign a part.
		return nil
	}},
	{storage.ServerMove, func(*T, storage.Bucket) map[string]error {
		// Without the feature, Move copies and removes the object. Cases of rule W15, about moves,
		// prove that.
		return nil
	}},
	{storage.ServerAppend, func(*T, storage.Bucket) map[string]error {
		// Without the feature, Append streams the object. Cases of rule W16, about appends, prove
		// that.
		return nil
	}},
	{storage.SoftDelete, func(t *T, b storage.Bucket) map[string]error {
		errs := map[string]error{"Restore": storage.Restore(t.Context(), b, "key", storage.WithSoftDeleted())}
		for _, err := range storage.Versions(t.Context(), b, storage.WithSoftDeleted()) {
			errs["Versions"] = err
		}
		return errs
	}},
	{storage.Restoring, func(t *T, b storage.Bucket) map[string]error {
		return map[string]error{"Restore": storage.Restore(t.Context(), b, "key")}
	}},
}

// optionalFeatures returns all features that a case may need.
func optionalFeatures() storage.Features {
	var all storage.Features
	for _, r := range refusals {
		all |= r.feature
	}
	return all
}

// requireUnsupported requires that each call that needs the feature fails with Unsupported. If the
// engine can refuse the call by itself, it must make no request.
func (r refusal) requireUnsupported(t *T, b storage.Bucket) {
	t.Helper()
	if storage.Supports(b, r.feature) {
		t.Fatalf("the bucket has %s, which the driver does not declare", r.feature)
	}
	requests := t.countRequests(func() {
		for name, err := range r.calls(t, b) {
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%s without %s: %v", name, r.feature, err)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
		}
	})

	// Only the driver can tell whether it has one of these features. The engine refuses calls for any other.
	isRefusedByDriver := r.feature&toldByDriver != 0
	if !isRefusedByDriver {
		require.Zero(t, requests, "no request may be made:\n%v", t.faults)
	}
}

var refusalCases = []Case{
	{
		Name:        "a value that a Core passes is checked as options are",
		Rule:        "W12",
		Explanation: "conditions that do not fit, numbers below 0 and bad names are InvalidArgument; nothing is changed",
		run: func(t *T) {
			b := t.open()
			current := t.put(b, "a", "text").Revision
			for _, value := range optionValues(t, b, current) {
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(value.err), "%s: %v", value.name, value.err)
			}
			t.requireContent(b, "a", "text")
			require.Equal(t, []string{"a"}, t.keys(b, t.anyOrder()...))
		},
	},
	{
		Name:        "an append has all that its options say",
		Rule:        "W16",
		Explanation: "its condition, its metadata and its content type, also if the object is made",
		Needs:       appends | storage.Metadata | storage.ContentProperties,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "text")
			_, err := storage.Append(t.Context(), b, "a", []byte("more"), storage.IfAbsent())
			t.requireNothingDone(err, storage.PreconditionFailed)
			t.requireContent(b, "a", "text")
			_, err = storage.Append(
				t.Context(), b, "new", []byte("more"), storage.WithContentType("text/csv"),
				storage.WithMetadata(map[string]string{"owner": "ann"}),
			)
			require.NoError(t, err)
			attrs := t.attrs(b, "new")
			require.Equal(t, "text/csv", attrs.ContentType)
			require.Equal(t, map[string]string{"owner": "ann"}, attrs.Metadata)
		},
	},
	{
		Name:        "every option that is not declared is Unsupported",
		Rule:        "W6",
		Explanation: "no option is silently dropped: without its feature it is refused before the driver is called",
		run: func(t *T) {
			for _, r := range refusals {
				b := t.openLimited(faults.Limits{Disable: r.feature})
				t.put(b, "key", "x")
				r.requireUnsupported(t, b)
				require.Equal(t, []string{"key"}, t.keys(b, storage.WithAnyOrder()))
			}
		},
	},
	{
		Name:        "another provider's option is Unsupported",
		Rule:        "W6",
		Explanation: "WithNative for another provider is refused before any request",
		run: func(t *T) {
			b := t.open()
			t.put(b, "key", "x")
			foreign := storage.WithNative("elsewhere", 1)
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "key", strings.NewReader("x"), foreign)
				t.requireNothingDone(err, storage.Unsupported)
				_, err = b.Download(t.Context(), "key", foreign)
				t.requireCode(err, storage.Unsupported)
				_, err = b.Attrs(t.Context(), "key", foreign)
				t.requireCode(err, storage.Unsupported)
				_, err = storage.Copy(t.Context(), b, "new", b, "key", foreign)
				t.requireNothingDone(err, storage.Unsupported)
				_, err = storage.Copy(t.Context(), b, "new", b, "key", storage.WithSourceNative("elsewhere", 1))
				t.requireNothingDone(err, storage.Unsupported)
				_, err = storage.Compose(t.Context(), b, "new", []string{"key"}, storage.WithSourceNative("elsewhere", 1))
				t.requireNothingDone(err, storage.Unsupported)
				t.requireNothingDone(b.Remove(t.Context(), "key", foreign), storage.Unsupported)
				if storage.Supports(b, storage.SignedURLs) {
					_, err = b.SignedUploadURL(t.Context(), "key", foreign)
					t.requireCode(err, storage.Unsupported)
					_, err = b.SignedDownloadURL(t.Context(), "key", foreign)
					t.requireCode(err, storage.Unsupported)
				}
			})
		},
	},
	{
		Name:        "an unknown native option is Unsupported",
		Rule:        "W6",
		Explanation: "the driver refuses a native value of an unknown type, and nothing is stored",
		run: func(t *T) {
			b := t.open()
			unknown := storage.WithNative(t.desc.Provider, struct{ nobody int }{})
			_, err := b.Upload(t.Context(), "key", strings.NewReader("x"), unknown)
			t.requireNothingDone(err, storage.Unsupported)
			t.requireMissing(b, "key")
		},
	},
	{
		Name:        "declared features are in force",
		Rule:        "W6",
		Explanation: "Supports reports the features of the bucket as it was opened",
		run: func(t *T) {
			b := t.open()
			inside := t.desc.Features &^ storage.Versioning
			require.True(t, storage.Supports(b, inside))
			for f := range eachFeature {
				if f == storage.Versioning {
					continue
				}
				require.Equal(t, inside&f != 0, storage.Supports(b, f), f)
			}
			if t.has(storage.Versioning) {
				require.True(t, storage.Supports(t.openVersioned(), storage.Versioning))
			}
		},
	},
}

// toldByDriver are the features whose absence only the driver can detect. For them the engine makes
// the call, and the driver fails with Unsupported.
const toldByDriver = storage.KeysBesideFolders | storage.StoredChecksums

// metadataRefused makes all calls that set metadata, and returns their errors by name.
func metadataRefused(t *T, b storage.Bucket) map[string]error {
	return writesWith(t, b, "new", storage.WithMetadata(map[string]string{"k": "v"}))
}

// contentPropertiesRefused makes each call that sets a content type or another content header, and
// returns the errors by the name of the call or option.
func contentPropertiesRefused(t *T, b storage.Bucket) map[string]error {
	errs := writesWith(t, b, "new", storage.WithContentType("text/x-test"))
	for name, opt := range map[string]storage.WriteOption{
		"WithCacheControl":       storage.WithCacheControl("no-store"),
		"WithContentDisposition": storage.WithContentDisposition("inline"),
		"WithContentEncoding":    storage.WithContentEncoding("gzip"),
		"WithContentLanguage":    storage.WithContentLanguage("de"),
	} {
		_, errs[name] = b.Upload(t.Context(), "new", strings.NewReader("x"), opt)
	}
	return errs
}

// longSegmentsRefused makes all calls that write a key with a long segment, and returns their
// errors by name.
func longSegmentsRefused(t *T, b storage.Bucket) map[string]error {
	return writesWith(t, b, "a/"+strings.Repeat("s", 256))
}

// writesWith writes an object in every way with the given options, and returns the errors by name.
func writesWith(t *T, b storage.Bucket, key string, opts ...storage.WriteOption) map[string]error {
	var uploadOpts []storage.UploadOption
	var copyOpts []storage.CopyOption
	var signOpts []storage.SignedUploadOption
	for _, opt := range opts {
		uploadOpts = append(uploadOpts, opt)
		copyOpts = append(copyOpts, opt)
		signOpts = append(signOpts, opt)
	}

	errs := map[string]error{}
	_, errs["Upload"] = b.Upload(t.Context(), key, strings.NewReader("x"), uploadOpts...)
	_, errs["Upload of a stream"] = b.Upload(t.Context(), key, stream("x"), uploadOpts...)
	_, errs["Copy"] = storage.Copy(t.Context(), b, key, b, "key", copyOpts...)
	_, errs["Compose"] = storage.Compose(t.Context(), b, key, []string{"key"}, copyOpts...)
	w := storage.NewWriter(t.Context(), b, key, uploadOpts...)
	_, errs["Commit"] = w.Commit()
	require.NoError(t, w.Close())
	if storage.Supports(b, storage.SignedURLs) {
		_, errs["SignedUploadURL"] = b.SignedUploadURL(t.Context(), key, signOpts...)
	}
	return errs
}

// keysBesideFoldersRefused writes to keys that a file system cannot hold, such as "file/x" beside
// "file", and returns the errors by name. It requires that the writes change nothing.
func keysBesideFoldersRefused(t *T, b storage.Bucket) map[string]error {
	t.puts(b, "file", "folder/x")
	before := t.snapshot(b)
	errs := map[string]error{}
	for _, key := range []string{"file/x", "file/x/y", "folder"} {
		_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
		require.Equal(
			t, storage.Unsupported, storage.CodeOf(err),
			"%q must be refused beside %q and %q. If the store can hold all of them, declare KeysBesideFolders",
			key, "file", "folder/x",
		)
		errs["Upload of "+key] = err

		// The caller checks the errors of the other ways to write.
		_, errs["Upload of a stream to "+key] = b.Upload(t.Context(), key, stream("x"))
		_, errs["Copy to "+key] = storage.Copy(t.Context(), b, key, b, "folder/x")
		_, errs["Compose of "+key] = storage.Compose(t.Context(), b, key, []string{"folder/x"})

		// The key is not stored, so removing it does nothing.
		t.requireMissing(b, key)
		require.NoError(t, b.Remove(t.Context(), key), "it is not there")
	}
	require.Equal(t, before, t.snapshot(b))

	// Remove what the function has stored.
	_, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"file", "folder/x"}))
	require.NoError(t, err)
	return errs
}

// checksumsNotStored requires that reads work although the store keeps no checksums. It always returns
// nil, because no call needs a stored checksum and none is refused.
func checksumsNotStored(t *T, b storage.Bucket) map[string]error {
	want := sum([]byte("text"))
	require.Equal(t, want, t.put(b, "sum", "text").CRC32C.Sum, "an upload must return what it sent")
	if sum := t.attrs(b, "sum").CRC32C; sum.Known {
		require.Equal(t, want, sum.Sum)
	}
	t.requireContent(b, "sum", "text")

	require.NoError(t, b.Remove(t.Context(), "sum"))
	return nil
}

// optionValues returns calls that pass values which no With function can set, as a Core that embeds
// the Core of a store may.
func optionValues(t *T, b storage.Bucket, revision string) []optionValue {
	var c storage.Core
	_, err := storage.Wrap(b, func(wrapped storage.Core) storage.Core {
		c = wrapped
		return wrapped
	})
	require.NoError(t, err)

	ctx := t.Context()
	upload := func(o storage.UploadOptions) error {
		return second(c.Upload(ctx, "a", strings.NewReader("new"), &o))
	}
	download := func(o storage.DownloadOptions) error { return second(c.Download(ctx, "a", &o)) }
	remove := func(o storage.RemoveOptions) error { return c.Remove(ctx, "a", &o) }
	list := func(o storage.ListOptions) error {
		o.AnyOrder = true
		for _, err := range c.List(ctx, &o) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	absent := storage.Condition{Absent: true}
	notRevision := storage.Condition{NotRevision: revision}
	return []optionValue{
		{
			name: "Upload, not a revision",
			err:  upload(storage.UploadOptions{Size: -1, Condition: notRevision}),
		},
		{
			name: "Upload, two conditions",
			err:  upload(storage.UploadOptions{Size: -1, Condition: storage.Condition{Absent: true, Revision: revision}}),
		},
		{
			name: "Upload, a size below -1",
			err:  upload(storage.UploadOptions{Size: -7}),
		},
		{
			name: "Upload, no requests",
			err:  upload(storage.UploadOptions{Size: -1, Transfer: storage.Transfer{Concurrency: -5}}),
		},
		{
			name: "Upload, a type without its bit in Set",
			err:  upload(storage.UploadOptions{Size: -1, Properties: storage.Properties{ContentType: "a/b"}}),
		},
		{
			name: "Download, absent",
			err:  download(storage.DownloadOptions{Length: -1, Condition: absent}),
		},
		{
			name: "Download, an offset",
			err:  download(storage.DownloadOptions{Length: -1, Offset: -3}),
		},
		{
			name: "Download, a length",
			err:  download(storage.DownloadOptions{Length: -7}),
		},
		{
			name: "Download, a suffix",
			err:  download(storage.DownloadOptions{Length: -1, Suffix: -3}),
		},
		{
			name: "Download, two ranges",
			err:  download(storage.DownloadOptions{Suffix: 2, Offset: 1, Length: 2}),
		},
		{
			name: "Download, no requests",
			err:  download(storage.DownloadOptions{Length: -1, Concurrency: -5}),
		},
		{
			name: "Remove, absent",
			err:  remove(storage.RemoveOptions{Condition: absent}),
		},
		{
			name: "Remove, not a revision",
			err:  remove(storage.RemoveOptions{Condition: notRevision}),
		},
		{
			name: "List, a page",
			err:  list(storage.ListOptions{PageSize: -1}),
		},
		{
			name: "List, a limit",
			err:  list(storage.ListOptions{Limit: -1}),
		},
		{
			name: "Copy, not a revision",
			err:  second(c.CopyFrom(ctx, "a", c.Source("a"), &storage.CopyOptions{Condition: notRevision})),
		},
	}
}

// An optionValue is the result of a call with a value that no With function can set.
type optionValue struct {
	name string
	err  error
}
