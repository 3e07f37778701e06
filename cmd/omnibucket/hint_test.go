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

// An error of the library may advise an option, a field or a function of Go. The command's error names the flag, the
// parameter or the command instead. If there is none, it leaves the advice out.
func TestErrorsNameFlagsInPlaceOfGoOptions(t *testing.T) {
	p := &program.Program{}
	tests := map[string]struct {
		command string
		err     error
		want    string
	}{
		"an option with a flag": {
			command: "sync",
			err:     &storage.Error{Code: storage.ObjectNotFound, Hint: "check the source, or use WithEmptySource to delete everything"},
			want:    "object not found\nhint: check the source, or use --empty-source to delete everything",
		},
		"a flag that another command has": {
			command: "cp",
			err:     &storage.Error{Code: storage.ObjectNotFound, Hint: "check the source, or use WithEmptySource to delete everything"},
			want:    "object not found\nhint: check the source",
		},
		"a flag with another name": {
			command: "cp",
			err:     &storage.Error{Code: storage.Unsupported, Hint: "make it public with a bucket policy and omit WithPublicRead"},
			want:    "unsupported\nhint: make it public with a bucket policy and omit --public",
		},
		"an option without a flag": {
			command: "cp",
			err:     &storage.Error{Code: storage.TooLarge, Hint: "all 10000 parts are used: give a larger WithPartSize, or WithSize"},
			want:    "too large",
		},
		"an option of opening": {
			command: "sign",
			err:     &storage.Error{Code: storage.NotPublic, Hint: "open the bucket with WithPublicBaseURL or WithPublicAccess(true)"},
			want:    "not public\nhint: open the bucket with public_base_url= or public=true",
		},
		"an option and its parameter": {
			command: "ls",
			err:     &storage.Error{Code: storage.Unsupported, Hint: "if the bucket keeps versions, open it with WithVersioning(true) or versions=true"},
			want:    "unsupported\nhint: if the bucket keeps versions, set versions=true in the address; \"omnibucket bucket --versioning on\" keeps them from now on",
		},
		"an option of opening beside its parameter": {
			command: "ls",
			err:     &storage.Error{Code: storage.InvalidArgument, Hint: "if the cloud or the server is older than the service version of the request, set Config.APIVersion (api_version=) to one that it has"},
			want:    "invalid argument\nhint: if the cloud or the server is older than the service version of the request, set api_version= to one that it has",
		},
		"two fields of three": {
			command: "ls",
			err:     &storage.Error{Code: storage.InvalidArgument, Hint: "set the project to bill, as Config.UserProject or user_project=, or as the credentials' quota project (GOOGLE_CLOUD_QUOTA_PROJECT)"},
			want:    "invalid argument\nhint: set the project to bill, as user_project=, or as the credentials' quota project (GOOGLE_CLOUD_QUOTA_PROJECT)",
		},
		"a second piece of advice that needs Go": {
			command: "ls",
			err:     &storage.Error{Code: storage.Unsupported, Hint: "the account has a hierarchical namespace: set Config.HierarchicalNamespace (hierarchical_namespace=true); list with WithAnyOrder"},
			want:    "unsupported\nhint: the account has a hierarchical namespace: set hierarchical_namespace=true",
		},
		"a field of a profile": {
			command: "cp",
			err:     &storage.Error{Code: storage.Unsupported, Hint: "name the server with profile= if its kind checks the owner, or set BucketOwners in s3.Config.Profile: others ignore the request"},
			want:    "unsupported\nhint: name the server with profile= if its kind checks the owner",
		},
		"a function that is a command": {
			command: "cat",
			err:     &storage.Error{Code: storage.Archived, Hint: "the object is archived: restore it with storage.Restore first"},
			want:    "archived\nhint: the object is archived: restore it with \"omnibucket restore --days\" first",
		},
		"a function without a command": {
			command: "rm",
			err:     &storage.Error{Code: storage.Locked, Hint: "end the hold with SetLegalHold"},
			want:    "locked\nhint: end the hold with the program that set it, or with the provider's own tools",
		},
		"a function that a flag replaces": {
			command: "rb",
			err:     &storage.Error{Code: storage.BucketNotEmpty, Hint: "the bucket has open uploads: list them with ListUploads, and abort them with AbortUpload"},
			want:    "bucket not empty\nhint: \"omnibucket rb --force\" also removes old versions and unfinished uploads",
		},
		"a function that has no use in a shell": {
			command: "ls",
			err:     &storage.Error{Code: storage.Unsupported, Hint: "list without it, or continue by the token of ListPage"},
			want:    "unsupported\nhint: list without it",
		},
		"a function of S3": {
			command: "cp",
			err:     &storage.Error{Code: storage.PermissionDenied, Hint: "if the bucket blocks SSE-C, set its BlockedEncryptionTypes to NONE with PutBucketEncryption"},
			want:    "permission denied\nhint: if the bucket blocks SSE-C, set its BlockedEncryptionTypes to NONE with PutBucketEncryption",
		},
		"an ability of new buckets": {
			command: "bucket",
			err:     &storage.Error{Code: storage.Unsupported, Hint: "this server gives object lock only to new buckets: create one WithObjectLock"},
			want:    "unsupported\nhint: make a bucket that can lock objects by \"omnibucket mb\", with object_lock=true in its address",
		},
		"an ability that an address gives": {
			command: "bucket",
			err:     &storage.Error{Code: storage.Unsupported, Hint: "make the bucket with WithObjectLock"},
			want:    "unsupported\nhint: name the bucket once with object_lock=true in its address: it then keeps versions, and can lock objects from then on",
		},
		"a function that is not supported": {
			command: "sign",
			err: &storage.Error{
				Code: storage.Unsupported,
				Err:  errors.New("local does not support SignedUploadURL here"),
				Hint: "open the bucket with WithSigningBaseURL, or signing_base_url in its address, where the handler of package serve is mounted",
			},
			want: "unsupported: local does not support signed upload URL here\nhint: set signing_base_url= in the address; \"omnibucket sign --help\" has an example",
		},
		"an option that is not supported": {
			command: "cat",
			err:     &storage.Error{Code: storage.Unsupported, Err: errors.New("local does not support WithVersion here")},
			want:    "unsupported: local does not support --version here",
		},
		"a flag of restore": {
			command: "restore",
			err:     &storage.Error{Code: storage.InvalidArgument, Err: errors.New("WithRestoreDays must be at least 1")},
			want:    "invalid argument: --days must be at least 1",
		},
		"a field of Config and its parameter": {
			command: "ls",
			err:     &storage.Error{Code: storage.BucketNotFound, Hint: "to create the directory, set Config.Create or create=true in the address"},
			want:    "bucket not found\nhint: to create the directory, set create=true in the address; a key stands after #, as in file:///directory#key",
		},
		"a field of Config, its parameter and a variable": {
			command: "ls",
			err:     &storage.Error{Code: storage.InvalidArgument, Err: errors.New("region is not known"), Hint: "set Config.Region, region= in the address, or AWS_REGION"},
			want:    "invalid argument: region is not known\nhint: set region= in the address, or AWS_REGION",
		},
		"an account": {
			command: "ls",
			err:     &storage.Error{Code: storage.InvalidArgument, Hint: "a custom domain does not contain it: set Config.Account or account="},
			want:    "invalid argument\nhint: a custom domain does not contain it: set account=",
		},
		"a field of Config in the reason": {
			command: "ls",
			err:     &storage.Error{Code: storage.InvalidArgument, Err: errors.New("Config.RequesterPays must not be set with Anonymous: nobody would pay")},
			want:    "invalid argument: request_payer=requester must not be set with Anonymous: nobody would pay",
		},
		"a list of names": {
			command: "sign",
			err: &storage.Error{
				Code: storage.Unsupported,
				Hint: "to sign, set the key of a service account (Config.SigningKey, signing_key=), or its name (Config.SigningAccount) and credentials that may sign as it",
			},
			want: "unsupported\nhint: to sign, set the key of a service account (signing_key=)",
		},
		"a function": {
			command: "mb",
			err:     &storage.Error{Code: storage.BucketNotFound, Hint: "check the bucket's name, account, region and endpoint, or create it with Service.CreateBucket"},
			want:    "bucket not found\nhint: check the bucket's name, account, region and endpoint, or create it with \"omnibucket mb\"",
		},
		"only functions": {
			command: "rm",
			err:     &storage.Error{Code: storage.Unsupported, Hint: "call AbandonUpload with a bucket from storage.Open or engine.New"},
			want:    "unsupported",
		},
		"an example of a function": {
			command: "cp",
			err:     &storage.Error{Code: storage.InvalidArgument, Hint: "percent-encode the value, as storage.EncodeMetadataValue does"},
			want:    "invalid argument\nhint: percent-encode the value",
		},
		"no name": {
			command: "cp",
			err:     &storage.Error{Code: storage.Archived, Hint: "the object is archived: restore it first"},
			want:    "archived\nhint: the object is archived: restore it first",
		},
		"the reason": {
			command: "sync",
			err:     &storage.Error{Code: storage.InvalidArgument, Err: errors.New("WithConcurrency must be at least 1")},
			want:    "invalid argument: --concurrency must be at least 1",
		},
		"a key that looks like an option": {
			command: "cp",
			err:     &storage.Error{Code: storage.ObjectNotFound, Key: "WithMetadata", Err: errors.New("no WithMetadata")},
			want:    `"WithMetadata": object not found: no WithMetadata`,
		},
		"errors within errors": {
			command: "cp",
			err: errors.Join(
				fmt.Errorf("a: %w", &storage.Error{Code: storage.Unsupported, Hint: "omit WithPublicRead"}),
				&storage.Error{Code: storage.Internal, Err: &storage.Error{Code: storage.Unsupported, Hint: "use IfAbsent"}},
			),
			want: "a: unsupported\ninternal: unsupported\nhint: omit --public\nhint: use --if-absent",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			command, _, err := rootCommand(p).Find([]string{tt.command})
			require.NoError(t, err)
			require.Equal(t, tt.want, printed(explain.Error(command, tt.err, false)))
		})
	}
}

// The hint for a server without a profile names parameters of the address, not Go functions.
func TestHintForServerWithoutProfile(t *testing.T) {
	command, _, err := rootCommand(&program.Program{}).Find([]string{"cp"})
	require.NoError(t, err)
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
			_, err = b.Attrs(t.Context(), "k")
			require.Error(t, err)

			// The error of a conditional upload has the hint.
			_, err = b.Upload(t.Context(), "k", http.NoBody, storage.IfAbsent())
			text := printed(explain.Error(command, err, false))
			require.True(t, strings.HasSuffix(text, tt.want), text)
		})
	}
}

// An error of a server is printed in one line, to which --verbose adds the details and the request id.
func TestErrorsOfServers(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})

	for _, command := range []string{"cat", "stat"} {
		_, stderr := s.requireExit(exitNotFound, command, "box:none")
		require.Equal(t, `omnibucket: "none" in s3 bucket "photos": object not found`+"\n", stderr)
		_, stderr = s.requireExit(exitNotFound, command, "-v", "box:none")
		require.Regexp(t, `StatusCode: 404(.|\n)*\nrequest: \w+\n$`, stderr)
	}

	// From here on, the server refuses every request.
	server.Inject(s3server.Fail("*", "AccessDenied"))
	for _, args := range [][]string{
		{"cat", "box:a"},
		{"ls", "box:"},
		{"cp", "-", "box:a"},
		{"bucket", "box:"},
	} {
		_, stderr := s.requireExit(exitFailure, args...)
		const denied = `^omnibucket: (\S+ )?in s3 bucket "photos": permission denied: \w+: \w[\w ]+\.?$`
		require.Regexp(t, denied, splitLines(stderr)[0], args)
		require.NotContains(t, stderr, "request")
	}
	_, stderr := s.requireExit(exitFailure, "cat", "--json", "-v", "box:a")
	require.Regexp(t, `"requests":\["\w+"\]`, stderr)

	// An unknown scheme does not make it recommend Go packages.
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
	require.Equal(t, "unsupported", printed(explain.Error(nil, &storage.Error{Code: storage.Unsupported, Hint: "omit WithPublicRead"}, false)))
}

// printed returns an explanation as it is printed.
func printed(x explain.Explanation) string {
	lines := []string{x.What}
	for _, hint := range x.Hints {
		lines = append(lines, "hint: "+hint)
	}
	return strings.Join(lines, "\n")
}
