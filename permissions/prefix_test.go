package permissions_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

// hostile has what stands for a prefix in a document of each provider, or "" if the provider cannot express it. Tests
// with our S3 server and MinIO show what the policies of these then permit.
var hostile = map[string]struct{ prefix, amazon, minio, azure, directory string }{
	"a folder":        {prefix: "users/", amazon: "users/", minio: "users/", azure: "users/", directory: "sr=d&sdd=1"},
	"a folder below":  {prefix: "users/ann/", amazon: "users/ann/", minio: "users/ann/", azure: "users/ann/", directory: "sr=d&sdd=2"},
	"a text":          {prefix: "users", amazon: "users", minio: "users", azure: "users"},
	"a star":          {prefix: "users/*/", amazon: "users/${*}/", azure: "users/*/", directory: "sr=d&sdd=2"},
	"a question mark": {prefix: "a?", amazon: "a${?}", azure: "a?"},
	"a variable":      {prefix: "${aws:username}/", amazon: "${$}{aws:username}/", azure: "${aws:username}/", directory: "sr=d&sdd=1"},
	"an escape":       {prefix: "${*}/", amazon: "${$}{${*}}/", azure: "${*}/", directory: "sr=d&sdd=1"},
	"a dollar sign":   {prefix: "$/", amazon: "${$}/", minio: "$/", azure: "$/", directory: "sr=d&sdd=1"},
	"quotes":          {prefix: `a"/`, amazon: `a"/`, minio: `a"/`, directory: "sr=d&sdd=1"},
	"single quotes":   {prefix: `a'/`, amazon: `a'/`, minio: `a'/`, directory: "sr=d&sdd=1"},
	"a backslash":     {prefix: `a\/`, amazon: `a\/`, minio: `a\/`, directory: "sr=d&sdd=1"},
	"an expression": {
		prefix:    `users/") || true || ("/`,
		amazon:    `users/") || true || ("/`,
		minio:     `users/") || true || ("/`,
		directory: "sr=d&sdd=2",
	},
	"a condition": {
		prefix:    `a') OR (1 NumericEquals 1/`,
		amazon:    `a') OR (1 NumericEquals 1/`,
		minio:     `a') OR (1 NumericEquals 1/`,
		directory: "sr=d&sdd=1",
	},
	"letters":          {prefix: "日本/𝄞/", amazon: "日本/𝄞/", minio: "日本/𝄞/", azure: "日本/𝄞/", directory: "sr=d&sdd=2"},
	"a slash at first": {prefix: "/a/", amazon: "/a/", minio: "/a/"},
	"an empty segment": {prefix: "a//", amazon: "a//", minio: "a//", azure: "a//"},
	"the longest": {
		prefix:    strings.Repeat("k", 1023) + "/",
		amazon:    strings.Repeat("k", 1023) + "/",
		minio:     strings.Repeat("k", 1023) + "/",
		azure:     strings.Repeat("k", 1023) + "/",
		directory: "sr=d&sdd=1",
	},
	"HTML and an entity": {prefix: "<&>/", amazon: "<&>/", minio: "<&>/", azure: "<&>/", directory: "sr=d&sdd=1"},
}

// If a prefix has characters that mean something in a policy, Documents escapes them. If the provider cannot
// express the prefix, Documents fails with InvalidArgument.
func TestDocumentsPrefixStandsForItself(t *testing.T) {
	for name, test := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Run("aws", func(t *testing.T) {
				requireDocument(t, permissions.AWS, test.prefix, test.amazon)
			})
			t.Run("minio", func(t *testing.T) {
				requireDocument(t, permissions.MinIO, test.prefix, test.minio)
			})
			t.Run("google", func(t *testing.T) {
				requireGoogleDocument(t, test.prefix)
			})
			t.Run("azure", func(t *testing.T) {
				requireAzureDocument(t, test.prefix, test.azure)
			})
			t.Run("azure-sas", func(t *testing.T) {
				requireDirectoryDocument(t, test.prefix, test.directory)
			})
		})
	}
}

// requireRefused checks that a provider cannot express a prefix, if nothing stands for it.
func requireRefused(t *testing.T, p permissions.Provider, prefix, want string) ([]permissions.Document, bool) {
	t.Helper()
	operations := []permissions.Operation{"download", "list"}
	if p == permissions.MinIO { // its policies cannot limit listings
		operations = operations[:1]
	}
	documents, err := grant(prefix, operations...).Documents(p)
	if want == "" {
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		require.ErrorContains(t, err, "prefix must")
		return nil, true
	}
	require.NoError(t, err)
	return documents, false
}

func requireDocument(t *testing.T, p permissions.Provider, prefix, want string) {
	documents, no := requireRefused(t, p, prefix, want)
	if no {
		return
	}
	statements := parseForm[amazonForm](t, documents[0].Text).Statement

	last := len(statements) - 1
	require.Equal(t, "arn:aws:s3:::photos/"+want+"*", statements[last].Resource)
	if p == permissions.MinIO {
		require.Zero(t, last)
		return
	}
	require.Equal(t, 1, last)
	require.Equal(t, "arn:aws:s3:::photos", statements[0].Resource)
	require.Equal(t, map[string]string{"s3:prefix": want + "*"}, statements[0].Condition.StringLike)
}

// expression matches an expression of CEL with two texts, which end at the first quote without a backslash.
var expression = regexp.MustCompile(
	`^resource\.name\.startsWith\("projects/_/buckets/photos/objects/((?:[^"\\]|\\.)*)"\) \|\| ` +
		`api\.getAttribute\("storage\.googleapis\.com/objectListPrefix", ""\)\.startsWith\("((?:[^"\\]|\\.)*)"\)$`,
)

func requireGoogleDocument(t *testing.T, prefix string) {
	documents, _ := requireRefused(t, permissions.Google, prefix, prefix)
	condition := parseForm[googleBindingForm](t, documents[1].Text).Condition

	texts := expression.FindStringSubmatch(condition.Expression)
	require.NotNil(t, texts, condition.Expression)
	unescaped := strings.NewReplacer(`\\`, `\`, `\"`, `"`)
	require.Equal(t, prefix, unescaped.Replace(texts[1]))
	require.Equal(t, prefix, unescaped.Replace(texts[2]))

	same, err := permissions.GoogleCondition("photos", prefix)
	require.NoError(t, err)
	require.Equal(t, condition.Expression, same)
}

func requireAzureDocument(t *testing.T, prefix, want string) {
	documents, no := requireRefused(t, permissions.Azure, prefix, want)
	if no {
		return
	}
	require.Len(t, documents, 2)
	texts := azureConditionForm.FindStringSubmatch(documents[1].Text)
	require.NotNil(t, texts, documents[1].Text)
	require.Equal(t, want, texts[4])
	require.Equal(t, want, texts[6])
}

func requireDirectoryDocument(t *testing.T, prefix, want string) {
	documents, no := requireRefused(t, permissions.AzureSAS, prefix, want)
	if no {
		return
	}
	require.Equal(t, want+"&sp=rl", documents[0].Text)
	require.Contains(t, documents[0].Use, "the directory "+strings.TrimSuffix(prefix, "/")+" ")
}

// Without a prefix, no document has a condition.
func TestDocumentsWithoutAPrefix(t *testing.T) {
	for _, p := range permissions.Providers() {
		documents, err := grant("", "download", "list").Documents(p)
		require.NoError(t, err)
		for _, d := range documents {
			require.NotContains(t, strings.ToLower(d.Text), "condition")
		}
	}
}

// If the bucket or the prefix is empty or invalid, GoogleCondition fails with InvalidArgument.
func TestGoogleCondition(t *testing.T) {
	for _, pair := range [][2]string{{"photos", ""}, {"", "a/"}, {`photos" || true`, "a/"}, {"photos", "../"}} {
		_, err := permissions.GoogleCondition(pair[0], pair[1])
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%q", pair)
	}
}

// For MinIO, Documents refuses list and list-versions with a prefix, because MinIO also takes the value of
// s3:prefix from a header of the client.
func TestDocumentsOfMinIOLimitNoListing(t *testing.T) {
	for _, o := range []permissions.Operation{"list", "list-versions"} {
		_, err := grant("users/", "download", o).Documents(permissions.MinIO)
		require.Equal(t, storage.Unsupported, storage.CodeOf(err), o)
		require.ErrorContains(t, err, string(o))

		var storageErr *storage.Error
		require.ErrorAs(t, err, &storageErr)
		require.Contains(t, storageErr.Hint, "s3:prefix")

		_, err = grant("", "download", o).Documents(permissions.MinIO)
		require.NoError(t, err, o)
	}
}
