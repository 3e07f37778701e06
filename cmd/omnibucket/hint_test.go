package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/explain"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/s3server"
)

// An error of the library may advise an option, a field or a function of Go. The command's error
// names the corresponding flag, parameter or command instead. If nothing corresponds, it leaves the
// advice out.
func TestErrorsNameFlagsInPlaceOfGoOptions(t *testing.T) {
	tests := []struct {
		name    string
		command string

		// These fields are of the library's error. The reason or the hint may name something of Go.
		code   storage.Code
		reason string
		hint   string

		want string // the error that the command prints
	}{
		{
			name:    "an option with a flag",
			command: "sync",
			code:    storage.ObjectNotFound,
			hint:    "check the source, or use WithEmptySource to delete everything",
			want:    "object not found\nhint: check the source, or use --empty-source to delete everything",
		},
		{
			name:    "a flag that another command has",
			command: "cp",
			code:    storage.ObjectNotFound,
			hint:    "check the source, or use WithEmptySource to delete everything",
			want:    "object not found\nhint: check the source",
		},
		{
			name:    "a flag with another name",
			command: "cp",
			code:    storage.Unsupported,
			hint:    "make it public with a bucket policy and omit WithPublicRead",
			want:    "unsupported\nhint: make it public with a bucket policy and omit --public",
		},
		{
			name:    "an option without a flag",
			command: "cp",
			code:    storage.TooLarge,
			hint:    "all 10000 parts are used: give a larger WithPartSize, or WithSize",
			want:    "too large",
		},
		{
			name:    "an option of opening",
			command: "sign",
			code:    storage.NotPublic,
			hint:    "open the bucket with WithPublicBaseURL or WithPublicAccess(true)",
			want:    "not public\nhint: open the bucket with public_base_url= or public=true",
		},
		{
			name:    "an option and its parameter",
			command: "ls",
			code:    storage.Unsupported,
			hint:    "if the bucket keeps versions, open it with WithVersioning(true) or versions=true",
			want:    "unsupported\nhint: if the bucket keeps versions, set versions=true in the address; \"omnibucket bucket --versioning on\" keeps them from now on",
		},
		{
			name:    "an option of opening beside its parameter",
			command: "ls",
			code:    storage.InvalidArgument,
			hint:    "if the cloud or the server is older than the service version of the request, set Config.APIVersion (api_version=) to one that it has",
			want:    "invalid argument\nhint: if the cloud or the server is older than the service version of the request, set api_version= to one that it has",
		},
		{
			name:    "a field beside its parameter and a variable",
			command: "ls",
			code:    storage.InvalidArgument,
			hint:    "set the project to bill, as Config.UserProject or user_project=, or as the credentials' quota project (GOOGLE_CLOUD_QUOTA_PROJECT)",
			want:    "invalid argument\nhint: set the project to bill, as user_project=, or as the credentials' quota project (GOOGLE_CLOUD_QUOTA_PROJECT)",
		},
		{
			name:    "a second piece of advice that needs Go",
			command: "ls",
			code:    storage.Unsupported,
			hint:    "the account has a hierarchical namespace: set Config.HierarchicalNamespace (hierarchical_namespace=true); list with WithAnyOrder",
			want:    "unsupported\nhint: the account has a hierarchical namespace: set hierarchical_namespace=true",
		},
		{
			name:    "a field of a profile",
			command: "cp",
			code:    storage.Unsupported,
			hint:    "name the server with profile= if its kind checks the owner, or set BucketOwners in s3.Config.Profile: others ignore the request",
			want:    "unsupported\nhint: name the server with profile= if its kind checks the owner",
		},
		{
			name:    "a function that is a command",
			command: "cat",
			code:    storage.Archived,
			hint:    "the object is archived: restore it with storage.Restore first",
			want:    "archived\nhint: the object is archived: restore it with \"omnibucket restore --days\" first",
		},
		{
			name:    "a function without a command",
			command: "rm",
			code:    storage.Locked,
			hint:    "end the hold with SetLegalHold",
			want:    "locked\nhint: end the hold with the program that set it, or with the provider's own tools",
		},
		{
			name:    "a function that a flag replaces",
			command: "rb",
			code:    storage.BucketNotEmpty,
			hint:    "the bucket has open uploads: list them with ListUploads, and abort them with AbortUpload",
			want:    "bucket not empty\nhint: \"omnibucket rb --force\" also removes old versions and unfinished uploads",
		},
		{
			name:    "a function that has no use in a shell",
			command: "ls",
			code:    storage.Unsupported,
			hint:    "list without it, or continue by the token of ListPage",
			want:    "unsupported\nhint: list without it",
		},
		{
			name:    "a function of S3",
			command: "cp",
			code:    storage.PermissionDenied,
			hint:    "if the bucket blocks SSE-C, set its BlockedEncryptionTypes to NONE with PutBucketEncryption",
			want:    "permission denied\nhint: if the bucket blocks SSE-C, set its BlockedEncryptionTypes to NONE with PutBucketEncryption",
		},
		{
			name:    "an ability of new buckets",
			command: "bucket",
			code:    storage.Unsupported,
			hint:    "this server gives object lock only to new buckets: create one WithObjectLock",
			want:    "unsupported\nhint: make a bucket that can lock objects by \"omnibucket mb\", with object_lock=true in its address",
		},
		{
			name:    "an ability that an address gives",
			command: "bucket",
			code:    storage.Unsupported,
			hint:    "make the bucket with WithObjectLock",
			want:    "unsupported\nhint: name the bucket once with object_lock=true in its address: it then keeps versions, and can lock objects from then on",
		},
		{
			name:    "a function that is not supported",
			command: "sign",
			code:    storage.Unsupported,
			reason:  "local does not support SignedUploadURL here",
			hint:    "open the bucket with WithSigningBaseURL, or signing_base_url in its address, where the handler of package serve is mounted",
			want:    "unsupported: local does not support signed upload URL here\nhint: set signing_base_url= in the address; \"omnibucket sign --help\" has an example",
		},
		{
			name:    "an option that is not supported",
			command: "cat",
			code:    storage.Unsupported,
			reason:  "local does not support WithVersion here",
			want:    "unsupported: local does not support --version here",
		},
		{
			name:    "a flag of restore",
			command: "restore",
			code:    storage.InvalidArgument,
			reason:  "WithRestoreDays must be at least 1",
			want:    "invalid argument: --days must be at least 1",
		},
		{
			name:    "a field of Config and its parameter",
			command: "ls",
			code:    storage.BucketNotFound,
			hint:    "to create the directory, set Config.Create or create=true in the address",
			want:    "bucket not found\nhint: to create the directory, set create=true in the address; a key stands after #, as in file:///directory#key",
		},
		{
			name:    "a field of Config, its parameter and a variable",
			command: "ls",
			code:    storage.InvalidArgument,
			reason:  "region is not known",
			hint:    "set Config.Region, region= in the address, or AWS_REGION",
			want:    "invalid argument: region is not known\nhint: set region= in the address, or AWS_REGION",
		},
		{
			name:    "a field of Config for the account",
			command: "ls",
			code:    storage.InvalidArgument,
			hint:    "a custom domain does not contain it: set Config.Account or account=",
			want:    "invalid argument\nhint: a custom domain does not contain it: set account=",
		},
		{
			name:    "a field of Config in the reason",
			command: "ls",
			code:    storage.InvalidArgument,
			reason:  "Config.RequesterPays must not be set with Anonymous: nobody would pay",
			want:    "invalid argument: request_payer=requester must not be set with Anonymous: nobody would pay",
		},
		{
			name:    "a second way that only Go has",
			command: "sign",
			code:    storage.Unsupported,
			hint:    "to sign, set the key of a service account (Config.SigningKey, signing_key=), or its name (Config.SigningAccount) and credentials that may sign as it",
			want:    "unsupported\nhint: to sign, set the key of a service account (signing_key=)",
		},
		{
			name:    "a method that is a command",
			command: "mb",
			code:    storage.BucketNotFound,
			hint:    "check the bucket's name, account, region and endpoint, or create it with Service.CreateBucket",
			want:    "bucket not found\nhint: check the bucket's name, account, region and endpoint, or create it with \"omnibucket mb\"",
		},
		{
			name:    "advice that only Go can follow",
			command: "rm",
			code:    storage.Unsupported,
			hint:    "call AbandonUpload with a bucket from storage.Open or engine.New",
			want:    "unsupported",
		},
		{
			name:    "an example of a function",
			command: "cp",
			code:    storage.InvalidArgument,
			hint:    "percent-encode the value, as storage.EncodeMetadataValue does",
			want:    "invalid argument\nhint: percent-encode the value",
		},
		{
			name:    "advice without a name of Go",
			command: "cp",
			code:    storage.Archived,
			hint:    "the object is archived: restore it first",
			want:    "archived\nhint: the object is archived: restore it first",
		},
		{
			name:    "an option in the reason",
			command: "sync",
			code:    storage.InvalidArgument,
			reason:  "WithConcurrency must be at least 1",
			want:    "invalid argument: --concurrency must be at least 1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := &storage.Error{Code: tt.code, Hint: tt.hint}
			if tt.reason != "" {
				err.Err = errors.New(tt.reason)
			}

			require.Equal(t, tt.want, printedBy(t, tt.command, err))
		})
	}

	t.Run("a key that looks like an option", func(t *testing.T) {
		err := &storage.Error{Code: storage.ObjectNotFound, Key: "WithMetadata", Err: errors.New("no WithMetadata")}
		require.Equal(t, `"WithMetadata": object not found: no WithMetadata`, printedBy(t, "cp", err))
	})
	t.Run("errors within errors", func(t *testing.T) {
		withPublicRead := &storage.Error{Code: storage.Unsupported, Hint: "omit WithPublicRead"}
		ifAbsent := &storage.Error{Code: storage.Unsupported, Hint: "use IfAbsent"}
		err := errors.Join(
			fmt.Errorf("a: %w", withPublicRead),
			&storage.Error{Code: storage.Internal, Err: ifAbsent},
		)

		want := "a: unsupported\ninternal: unsupported\nhint: omit --public\nhint: use --if-absent"
		require.Equal(t, want, printedBy(t, "cp", err))
	})
}

// The hint for a server without a profile names parameters of the address, not Go functions.
func TestHintForServerWithoutProfile(t *testing.T) {
	tests := []struct {
		server string // header Server of its responses
		want   string
	}{
		{server: "MinIO", want: "hint: this endpoint answers as MinIO: open it with profile=minio"},
		{server: "nginx", want: "hint: name the server with profile= (minio, ceph, …)"},
	}
	for _, tt := range tests {
		t.Run(tt.server, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Server", tt.server)
				w.WriteHeader(http.StatusNotFound)
			}))
			defer server.Close()
			b, err := storage.Open(t.Context(), "s3://photos?anonymous=true&path_style=true&endpoint="+server.URL)
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()

			// The first response names the server.
			_, err = b.Attrs(t.Context(), "missing")
			require.Error(t, err)

			// The error of a conditional upload has the hint.
			_, err = b.Upload(t.Context(), "new", http.NoBody, storage.IfAbsent())
			text := printedBy(t, "cp", err)
			require.True(t, strings.HasSuffix(text, tt.want), text)
		})
	}
}

// An error of a server is printed in one line. --verbose adds the details and the request id.
func TestErrorsOfServers(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})

	// The object is missing.
	for _, command := range []string{"cat", "stat"} {
		_, stderr := s.requireExit(exitNotFound, command, "box:none")
		require.Equal(t, `omnibucket: "none" in s3 bucket "photos": object not found`+"\n", stderr)

		_, stderr = s.requireExit(exitNotFound, command, "-v", "box:none")
		require.Regexp(t, `StatusCode: 404(.|\n)*\nrequest: \w+\n$`, stderr)
	}

	// From here on, the server refuses every request.
	server.Inject(s3server.Fail("*", "AccessDenied"))
	const denied = `^omnibucket: (\S+ )?in s3 bucket "photos": permission denied: \w+: \w[\w ]+\.?$`
	for _, args := range [][]string{
		{"cat", "box:a"},
		{"ls", "box:"},
		{"cp", "-", "box:a"},
		{"bucket", "box:"},
	} {
		_, stderr := s.requireExit(exitFailure, args...)
		require.Regexp(t, denied, splitLines(stderr)[0], args)
		require.NotContains(t, stderr, "request")
	}

	// With --json and --verbose, the event of the error has the request id.
	_, stderr := s.requireExit(exitFailure, "cat", "--json", "-v", "box:a")
	require.Regexp(t, `"requests":\["\w+"\]`, stderr)

	// The error for an unknown scheme does not recommend Go packages.
	_, stderr = s.requireExit(exitUsage, "ls", "ftp://a/b")
	require.NotContains(t, stderr, "package")
}

// An error of Google Cloud Storage is printed in one line.
func TestErrorsOfGoogle(t *testing.T) {
	s := newShell(t)
	s.startGCSLocation("box", func(path, _ string) (int, string) {
		if path == "/storage/v1/b/photos" || path == "/storage/v1/b/photos/o" {
			return 200, `{"kind":"storage#bucket","name":"photos"}`
		}
		return 404, `{"error":{"code":404,"message":"No such object: photos/none"}}`
	})

	_, stderr := s.requireExit(exitNotFound, "cat", "box:none")
	const want = `omnibucket: "none" in gcs bucket "photos": object not found` + "\n"
	require.Equal(t, want, stderr)
}

// An invalid command line has no flags that a hint could name.
func TestHintWithoutFlags(t *testing.T) {
	err := &storage.Error{Code: storage.Unsupported, Hint: "omit WithPublicRead"}
	require.Equal(t, "unsupported", printed(explain.Error(nil, err, false)))
}

// printedBy returns an error of the library as a command prints it.
func printedBy(t *testing.T, command string, libraryErr error) string {
	t.Helper()
	c, _, err := rootCommand(&program.Program{}).Find([]string{command})
	require.NoError(t, err)
	return printed(explain.Error(c, libraryErr, false))
}

// printed returns an explanation as it is printed.
func printed(x explain.Explanation) string {
	lines := []string{x.What}
	for _, hint := range x.Hints {
		lines = append(lines, "hint: "+hint)
	}
	return strings.Join(lines, "\n")
}
