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
)

func TestErrorsNameFlagsInPlaceOfGoOptions(t *testing.T) {
	p := &program{}
	for name, row := range map[string]struct {
		command string
		err     error
		want    string
	}{
		"an option with a flag": {
			"sync", &storage.Error{Code: storage.ObjectNotFound, Hint: "check the source, or use WithEmptySource to delete everything"},
			"storage: object not found (check the source, or use --empty-source to delete everything)",
		},
		"a flag that another command has": {
			"cp", &storage.Error{Code: storage.ObjectNotFound, Hint: "check the source, or use WithEmptySource to delete everything"},
			"storage: object not found (check the source)",
		},
		"a flag with another name": {
			"cp", &storage.Error{Code: storage.Unsupported, Hint: "make it public with a bucket policy and omit WithPublicRead"},
			"storage: unsupported (make it public with a bucket policy and omit --public)",
		},
		"an option without a flag": {
			"cp", &storage.Error{Code: storage.TooLarge, Hint: "all 10000 parts are used: give a larger WithPartSize, or WithSize"},
			"storage: too large",
		},
		"an option of opening": {
			"sign", &storage.Error{Code: storage.NotPublic, Hint: "open the bucket with WithPublicBaseURL or WithPublic"},
			"storage: not public (open the bucket with public_base_url= or public=true)",
		},
		"an option and its parameter": {
			"ls", &storage.Error{Code: storage.Unsupported, Hint: "if the bucket keeps versions, open it with WithVersions or versions=true"},
			"storage: unsupported (if the bucket keeps versions, open it with versions=true)",
		},
		"a field of Config and its parameter": {
			"ls", &storage.Error{Code: storage.BucketNotFound, Hint: "to create the directory, set Config.Create or create=true in the address"},
			"storage: bucket not found (to create the directory, set create=true in the address)",
		},
		"a field of Config, its parameter and a variable": {
			"ls", &storage.Error{Code: storage.InvalidArgument, Err: errors.New("region is not known"), Hint: "set Config.Region, region= in the address, or AWS_REGION"},
			"storage: invalid argument: region is not known (set region= in the address, or AWS_REGION)",
		},
		"an account": {
			"ls", &storage.Error{Code: storage.InvalidArgument, Hint: "a custom domain does not contain it: set Config.Account or account="},
			"storage: invalid argument (a custom domain does not contain it: set account=)",
		},
		"a field of Config in the reason": {
			"ls", &storage.Error{Code: storage.InvalidArgument, Err: errors.New("Config.RequesterPays must not be set with Anonymous: nobody would pay")},
			"storage: invalid argument: request_payer=requester must not be set with Anonymous: nobody would pay",
		},
		"a list of names": {
			"sign", &storage.Error{Code: storage.Unsupported, Hint: "to sign, set the key of a service account (Config.SigningKey, signing_key=), or its name (Config.SigningAccount) and credentials that may sign as it"},
			"storage: unsupported (to sign, set the key of a service account (signing_key=))",
		},
		"a function": {
			"mb", &storage.Error{Code: storage.BucketNotFound, Hint: "check the bucket's name, account, region and endpoint, or create it with Service.CreateBucket"},
			"storage: bucket not found (check the bucket's name, account, region and endpoint)",
		},
		"only functions": {
			"rm", &storage.Error{Code: storage.Unsupported, Hint: "call AbandonUpload with a bucket from storage.Open or storage.New"},
			"storage: unsupported",
		},
		"an example of a function": {
			"cp", &storage.Error{Code: storage.InvalidArgument, Hint: "percent-encode the value, as storage.EncodeMetadataValue does"},
			"storage: invalid argument (percent-encode the value)",
		},
		"no name": {
			"cp", &storage.Error{Code: storage.Archived, Hint: "the object is archived: restore it first"},
			"storage: archived (the object is archived: restore it first)",
		},
		"the reason": {
			"sync", &storage.Error{Code: storage.InvalidArgument, Err: errors.New("WithConcurrency must be at least 1")},
			"storage: invalid argument: --concurrency must be at least 1",
		},
		"a key that looks like an option": {
			"cp", &storage.Error{Code: storage.ObjectNotFound, Key: "WithMetadata", Err: errors.New("no WithMetadata")},
			`storage: "WithMetadata": object not found: no WithMetadata`,
		},
		"errors within errors": {
			"cp", errors.Join(
				fmt.Errorf("a: %w", &storage.Error{Code: storage.Unsupported, Hint: "omit WithPublicRead"}),
				&storage.Error{Code: storage.Internal, Err: &storage.Error{Code: storage.Unsupported, Hint: "use IfAbsent"}},
			),
			"a: storage: unsupported (omit --public)\nstorage: internal: storage: unsupported (use --if-absent)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			command, _, err := p.rootCommand().Find([]string{row.command})
			require.NoError(t, err)
			require.Equal(t, row.want, textFor(command, row.err))
		})
	}
}

func TestTheHintForAServerWithoutAProfileNamesNoGo(t *testing.T) {
	command, _, err := (&program{}).rootCommand().Find([]string{"cp"})
	require.NoError(t, err)
	for _, row := range []struct{ server, want string }{
		{"MinIO", "(this endpoint answers as MinIO: open it with profile=minio)"},
		{"nginx", "(name the server with profile= (minio, ceph, …))"},
	} {
		t.Run(row.server, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Server", row.server)
				w.WriteHeader(http.StatusNotFound)
			}))
			defer server.Close()
			b, err := storage.Open(t.Context(), "s3://photos?anonymous=true&path_style=true&endpoint="+server.URL)
			require.NoError(t, err)
			defer func() { require.NoError(t, storage.Close(b)) }()
			_, err = b.Attrs(t.Context(), "k") // its response names the server
			require.Error(t, err)
			_, err = b.Upload(t.Context(), "k", http.NoBody, storage.IfAbsent())
			require.True(t, strings.HasSuffix(textFor(command, err), row.want), textFor(command, err))
		})
	}
}

func TestAnInvalidCommandLineHasNoFlags(t *testing.T) {
	require.Equal(t, "storage: unsupported", textFor(nil, &storage.Error{Code: storage.Unsupported, Hint: "omit WithPublicRead"}))
}
