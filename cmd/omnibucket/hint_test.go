package main

import (
	"errors"
	"fmt"
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

func TestAnInvalidCommandLineHasNoFlags(t *testing.T) {
	require.Equal(t, "storage: unsupported", textFor(nil, &storage.Error{Code: storage.Unsupported, Hint: "omit WithPublicRead"}))
}
