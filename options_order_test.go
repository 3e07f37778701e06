package storage

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A namedOption is one option of a call, with its name for the messages of a test.
type namedOption struct {
	name   string
	option any
}

// writeOptions are the options of all ways to write.
var writeOptions = []namedOption{
	{"WithContentType", WithContentType("a/b")},
	{"WithCacheControl", WithCacheControl("no-store")},
	{"WithContentDisposition", WithContentDisposition("inline")},
	{"WithContentEncoding", WithContentEncoding("gzip")},
	{"WithContentLanguage", WithContentLanguage("de")},
	{"WithMetadata", WithMetadata(map[string]string{"a": "b"})},
	{"WithStorageClass", WithStorageClass("COLD")},
	{"WithPublicRead", WithPublicRead()},
	{"WithTags", WithTags(map[string]string{"a": "b"})},
	{"WithRetention", WithRetention(time.Now().Add(time.Hour), Governance)},
	{"WithLegalHold", WithLegalHold()},
	{"IfAbsent", IfAbsent()},
	{"WithNative", WithNative("s3", 1)},
}

var transferOptions = []namedOption{
	{"WithConcurrency", WithConcurrency(3)},
	{"WithProgress", WithProgress(func(_, _ int64) {})},
}

var sizeOptions = []namedOption{
	{"WithSize", WithSize(7)},
	{"WithCRC32C", WithCRC32C(9)},
}

var readOptions = []namedOption{
	{"IfRevisionNot", IfRevisionNot("1")},
	{"WithNativeAttrs", WithNativeAttrs()},
}

var (
	ifRevision  = namedOption{"IfRevision", IfRevision("2")}
	withVersion = namedOption{"WithVersion", WithVersion("v")}
	withNative  = namedOption{"WithNative", WithNative("s3", 1)}
	withWriteID = namedOption{"WithWriteID", WithWriteID(strings.Repeat("0f", 16))}
	withTTL     = namedOption{"WithTTL", WithTTL(time.Minute)}
)

// optionsOfCalls has all options of each call, and a function that reads a list of them as the call
// does.
var optionsOfCalls = []struct {
	call    string
	options [][]namedOption
	read    func(opts []any) (any, error)
}{
	{
		call: "Upload",
		options: [][]namedOption{writeOptions, transferOptions, sizeOptions, {
			ifRevision, withWriteID, {"WithPartSize", WithPartSize(8 << 20)}, {"WithResume", WithResume("file")},
		}},
		read: func(opts []any) (any, error) {
			var o UploadOptions
			err := o.Apply(as[UploadOption](opts)...)
			return o, err
		},
	},
	{
		call: "BeginUpload",
		options: [][]namedOption{writeOptions, sizeOptions, {
			ifRevision, {"WithMaxSize", WithMaxSize(9)}, {"WithUncheckedParts", WithUncheckedParts()},
		}},
		read: func(opts []any) (any, error) {
			var o UploadOptions
			err := o.ApplyMultipart(as[MultipartOption](opts)...)
			return o, err
		},
	},
	{
		call: "Copy",
		options: [][]namedOption{writeOptions, transferOptions, {
			ifRevision, withVersion, withWriteID, {"WithResume", WithResume("file")},
			{"WithoutAttrs", WithoutAttrs()}, {"WithSourceNative", WithSourceNative("s3", 1)},
		}},
		read: func(opts []any) (any, error) {
			var o CopyOptions
			err := o.Apply(as[CopyOption](opts)...)
			return o, err
		},
	},
	{
		call: "Download",
		options: [][]namedOption{readOptions, transferOptions, {
			ifRevision, withVersion, withNative, {"WithRange", WithRange(1, 2)}, {"WithNoSync", WithNoSync()},
			{"WithMaxGap", WithMaxGap(3)},
		}},
		read: func(opts []any) (any, error) {
			var o DownloadOptions
			err := o.Apply(as[DownloadOption](opts)...)
			return o, err
		},
	},
	{
		call:    "Attrs",
		options: [][]namedOption{readOptions, {ifRevision, withVersion, withNative, withWriteID}},
		read: func(opts []any) (any, error) {
			var o DownloadOptions
			err := o.ApplyAttrs(as[AttrsOption](opts)...)
			return o, err
		},
	},
	{
		call: "List",
		options: [][]namedOption{{
			{"WithPrefix", WithPrefix("a/")}, {"WithDelimiter", WithDelimiter("/")},
			{"WithStartAfter", WithStartAfter("a/b")}, {"WithAnyOrder", WithAnyOrder()}, {"WithLimit", WithLimit(3)},
			{"WithPageSize", WithPageSize(4)}, {"WithSoftDeleted", WithSoftDeleted()},
		}},
		read: func(opts []any) (any, error) {
			var o ListOptions
			err := o.Apply(as[ListOption](opts)...)
			return o, err
		},
	},
	{
		call: "Remove",
		options: [][]namedOption{{
			ifRevision, withVersion, withNative, {"WithGovernanceBypass", WithGovernanceBypass()},
		}},
		read: func(opts []any) (any, error) {
			var o RemoveOptions
			err := o.Apply(as[RemoveOption](opts)...)
			return o, err
		},
	},
	{
		call:    "SignedUploadURL",
		options: [][]namedOption{writeOptions, sizeOptions, {withTTL}},
		read: func(opts []any) (any, error) {
			var o SignOptions
			err := o.ApplyUpload(as[SignedUploadOption](opts)...)
			return o, err
		},
	},
	{
		call: "SignedDownloadURL",
		options: [][]namedOption{{
			withTTL, withVersion, withNative, {"WithStableFor", WithStableFor(time.Hour)},
			{"WithMethod", WithMethod("HEAD")}, {"WithResponseContentType", WithResponseContentType("a/b")},
			{"WithDownloadName", WithDownloadName("a.txt")},
		}},
		read: func(opts []any) (any, error) {
			var o SignOptions
			err := o.ApplyDownload(as[SignedDownloadOption](opts)...)
			return o, err
		},
	},
	{
		call:    "SignedRemoveURL",
		options: [][]namedOption{{withTTL, withVersion, withNative}},
		read: func(opts []any) (any, error) {
			var o SignOptions
			err := o.ApplyRemove(as[SignedRemoveOption](opts)...)
			return o, err
		},
	},
	{
		call: "Restore",
		options: [][]namedOption{{
			withVersion, withNative, {"WithRestoreDays", WithRestoreDays(2)},
			{"WithRestoreTier", WithRestoreTier("Bulk")}, {"WithSoftDeleted", WithSoftDeleted()},
		}},
		read: func(opts []any) (any, error) {
			var o ChangeOptions
			err := o.ApplyRestore(as[RestoreOption](opts)...)
			return o, err
		},
	},
	{
		call:    "SetRetention",
		options: [][]namedOption{{withVersion, withNative, {"WithGovernanceBypass", WithGovernanceBypass()}}},
		read: func(opts []any) (any, error) {
			var o ChangeOptions
			err := o.ApplyRetention(as[RetentionOption](opts)...)
			return o, err
		},
	},
	{
		call: "NewReaderAt",
		options: [][]namedOption{readOptions, {
			ifRevision, withVersion, withNative, {"WithBlockSize", WithBlockSize(1)}, {"WithBlockCache", WithBlockCache(2)},
		}},
		read: func(opts []any) (any, error) {
			var o readerAtRequest
			err := applyEach(&o.get.err, as[ReaderAtOption](opts), func(option ReaderAtOption) {
				option.applyReaderAt(&o)
			})
			return o, err
		},
	},
	{
		call:    "SignPart",
		options: [][]namedOption{sizeOptions, {withTTL}},
		read: func(opts []any) (any, error) {
			var o PartOptions
			err := o.ApplySigned(as[SignedPartOption](opts)...)
			return o, err
		},
	},
	{
		call:    "Complete",
		options: [][]namedOption{sizeOptions, {{"WithParts", WithParts(UploadedPart{Number: 1})}}},
		read: func(opts []any) (any, error) {
			var o CompleteOptions
			err := o.Apply(as[CompleteOption](opts)...)
			return o, err
		},
	},
}

// as converts options to the type that a call expects.
func as[O any](opts []any) []O {
	typed := make([]O, len(opts))
	for i, o := range opts {
		typed[i] = o.(O)
	}
	return typed
}

// If a call has two options, both have their effects in either order, or the call fails.
func TestOptionsKeepTheirEffectInEachOrder(t *testing.T) {
	for _, tt := range optionsOfCalls {
		var options []namedOption
		for _, group := range tt.options {
			options = append(options, group...)
		}

		// read returns the request that a call with these options makes. The effect of an option is what it changes in
		// the request of a call without options.
		withoutOptions, err := tt.read(nil)
		require.NoError(t, err)

		for _, first := range options {
			for _, second := range options {
				if first.name == second.name {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s then %s", tt.call, first.name, second.name), func(t *testing.T) {
					both, err := tt.read([]any{first.option, second.option})
					if err != nil {
						// The two options exclude each other.
						require.Equal(t, InvalidArgument, CodeOf(err))
						return
					}

					// Each change that one option makes to the request must also be made if both
					// options are passed.
					for _, option := range []namedOption{first, second} {
						alone, err := tt.read([]any{option.option})
						require.NoError(t, err)
						requireEffect(t, option.name, reflect.ValueOf(withoutOptions), reflect.ValueOf(alone),
							reflect.ValueOf(both))
					}
				})
			}
		}
	}
}

// requireEffect requires that an option keeps its effect beside another one. The values are structs of options:
// without any option, with this option alone, and with both. Each field that this option alone sets must have the
// same value with both.
func requireEffect(t *testing.T, option string, without, alone, both reflect.Value) {
	t.Helper()
	for i := range without.NumField() {
		field := without.Type().Field(i)
		if field.Name == "err" {
			continue
		}
		old := without.Field(i)
		want := alone.Field(i)
		got := both.Field(i)
		switch {
		case field.Type.Kind() == reflect.Struct && field.Type.NumField() > 0:
			requireEffect(t, option, old, want, got)
		case field.Type == reflect.TypeFor[PropertySet]():
			// The other option may set further bits.
			require.Equal(t, want.Uint(), want.Uint()&got.Uint(), "%s: %s", option, field.Name)
		case fmt.Sprint(old) != fmt.Sprint(want):
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(got), "%s: %s", option, field.Name)
		}
	}
}
