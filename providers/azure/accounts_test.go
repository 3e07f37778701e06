package azure_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/internal/testing/documented"
)

// access returns the query of a shared access signature for everything.
func (s *azuriteServer) access(t *testing.T) url.Values {
	t.Helper()
	address, err := s.raw.GetSASURL(sas.AccountResourceTypes{Service: true, Container: true, Object: true},
		sas.AccountPermissions{Read: true, Write: true, Delete: true, List: true, Add: true, Create: true, Tag: true}, time.Now().Add(24*time.Hour), nil)
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query()
}

// grant returns what exchanges a signature by a delegated key for one by the account's, if the SDK
// signs the same so. Both may be used without TLS, which the emulator does not have.
func (s *azuriteServer) grant(t *testing.T) func(container, key string, query url.Values) url.Values {
	t.Helper()
	credential, err := service.NewSharedKeyCredential("devstoreaccount1", azuriteKey)
	require.NoError(t, err)
	users, err := service.NewClient("https://devstoreaccount1.invalid/", token("token"), &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: delegating{documented.AzureKeys()},
	}})
	require.NoError(t, err)
	return func(container, key string, signed url.Values) url.Values {
		starts, _ := time.Parse(time.RFC3339, signed.Get("st"))
		end, _ := time.Parse(time.RFC3339, signed.Get("se"))
		start := signed.Get("skt")
		expiry := signed.Get("ske")
		user, err := users.GetUserDelegationCredential(context.Background(), service.KeyInfo{Start: &start, Expiry: &expiry}, nil)
		values := sas.BlobSignatureValues{
			Version:            signed.Get("sv"),
			Protocol:           sas.Protocol(signed.Get("spr")),
			StartTime:          starts,
			ExpiryTime:         end,
			Permissions:        signed.Get("sp"),
			ContainerName:      container,
			BlobName:           key,
			ContentDisposition: signed.Get("rscd"),
			ContentType:        signed.Get("rsct"),
			EncryptionScope:    signed.Get("ses"),
		}
		if err != nil || signed.Get("st") < start || signed.Get("se") > expiry { // it ends with its key
			return nil
		}
		want, err := values.SignWithUserDelegation(user)
		if err != nil || want.Signature() != signed.Get("sig") {
			return nil
		}
		values.Protocol = sas.ProtocolHTTPSandHTTP
		granted, err := values.SignWithSharedKey(credential)
		if err != nil {
			return nil
		}
		query, _ := url.ParseQuery(granted.Encode())
		return query
	}
}

// signWithKey returns what signs a request with the key of the emulator's account, as the SDK does.
func (s *azuriteServer) signWithKey(t *testing.T) func(r *http.Request) {
	t.Helper()
	credential, err := service.NewSharedKeyCredential("devstoreaccount1", azuriteKey)
	require.NoError(t, err)
	client, err := service.NewClientWithSharedKeyCredential(s.endpoint, credential, &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		PerCallPolicies: []policy.Policy{substitute{}},
		Transport: delegating{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			other, _ := r.Context().Value(substitute{}).(*http.Request)
			for name, values := range r.Header {
				if name == "Authorization" || strings.HasPrefix(name, "X-Ms-") { // a date and an id, too
					other.Header[name] = values
				}
			}
		})},
	}})
	require.NoError(t, err)
	return func(r *http.Request) {
		_, _ = client.GetProperties(context.WithValue(r.Context(), substitute{}, r), nil)
	}
}

// A substitute is a policy of the SDK. It replaces the request by the one in the context, so that the SDK signs that.
type substitute struct{}

func (s substitute) Do(r *policy.Request) (*http.Response, error) {
	other, _ := r.Raw().Context().Value(s).(*http.Request)
	r.Raw().Method, r.Raw().URL, r.Raw().Header = other.Method, other.URL, other.Header.Clone()
	r.Raw().Header["Content-MD5"] = other.Header["Content-Md5"] // as the SDK spells it
	if other.ContentLength > 0 {
		r.Raw().Header.Set("Content-Length", strconv.FormatInt(other.ContentLength, 10))
	}
	return r.Next()
}

// A delegating is a transport to a service that only delegates keys.
type delegating struct{ http.Handler }

func (d delegating) Do(r *http.Request) (*http.Response, error) {
	received := r.Clone(r.Context())
	for name, values := range r.Header { // the SDK does not spell them as a server does
		received.Header[http.CanonicalHeaderKey(name)] = values
	}
	response := httptest.NewRecorder()
	d.ServeHTTP(response, received)
	return response.Result(), nil
}

// A token is a credential whose token is its own text.
type token string

func (t token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// scan returns a scanner that adds its verdict to the tags of a blob, if there is room.
func (s *azuriteServer) scan(t *testing.T) func(container, key string) {
	t.Helper()
	return func(container, key string) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // after the request may be canceled
		defer cancel()
		blob := s.raw.NewContainerClient(container).NewBlobClient(key)
		has, err := blob.GetTags(ctx, nil)
		if err != nil {
			return // another client has removed it
		}
		tags := maps.Clone(documented.AzureVerdict)
		for _, tag := range has.BlobTagSet {
			tags[*tag.Key] = *tag.Value
		}
		if len(tags) <= 10 {
			_, _ = blob.SetTags(ctx, tags, nil)
		}
	}
}

// accountOf opens a new container of an account with peculiarities.
func accountOf(t *testing.T, play func(s *azuriteServer) documented.Peculiarity, opts ...storage.OpenOption) (s *azuriteServer, c azure.Config, b storage.Bucket) {
	t.Helper()
	s, handler, path, closeIdle := startEmulator(t)
	t.Cleanup(closeIdle)
	front := httptest.NewServer(documented.Before(handler, play(s)))
	t.Cleanup(front.Close)
	c = azure.Config{Bucket: s.container(t), Endpoint: front.URL + path}
	b, err := azure.Open(t.Context(), c, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return s, c, b
}

// Upload and Copy over an archived object fail with Archived, and with IfAbsent with PreconditionFailed. After the
// object is removed, Upload succeeds. https://learn.microsoft.com/azure/storage/blobs/archive-blob.
func TestUploadOverArchived(t *testing.T) {
	_, _, b := accountOf(t, func(*azuriteServer) documented.Peculiarity { return documented.AzureArchive() })
	ctx := t.Context()
	upload := func(opts ...storage.UploadOption) error {
		_, err := b.Upload(ctx, "a", strings.NewReader(strings.Repeat("x", 3<<20)), opts...)
		return err
	}
	require.NoError(t, upload(storage.WithStorageClass("Archive")))
	_, err := b.Upload(ctx, "source", strings.NewReader("x"))
	require.NoError(t, err)

	tests := map[string]struct {
		err  error
		want storage.Code
	}{
		"Upload":              {upload(storage.WithStorageClass("Archive")), storage.Archived},
		"Upload if absent":    {upload(storage.IfAbsent()), storage.PreconditionFailed},
		"in parts":            {upload(storage.WithPartSize(1 << 20)), storage.Archived},
		"in parts, if absent": {upload(storage.WithPartSize(1<<20), storage.IfAbsent()), storage.PreconditionFailed},
		"Copy":                {second(storage.Copy(ctx, b, "a", b, "source")), storage.Archived},
		"Copy if absent":      {second(storage.Copy(ctx, b, "a", b, "source", storage.IfAbsent())), storage.PreconditionFailed},
	}
	for name, tt := range tests {
		require.Equal(t, tt.want, storage.CodeOf(tt.err), "%s: %v", name, tt.err)
		if tt.want == storage.Archived {
			require.ErrorContains(t, tt.err, "remove", name)
		}
	}

	require.NoError(t, b.Remove(ctx, "a"))
	require.NoError(t, upload(storage.IfAbsent()))
}

func second[T any](_ T, err error) error { return err }

// Under a SAS expiration policy, Azure refuses a signed URL that lacks a start or lasts too long. Copies and open
// uploads still succeed. https://learn.microsoft.com/azure/storage/common/sas-expiration-policy.
func TestSignedURLWithSASPolicy(t *testing.T) {
	const limit = 2 * time.Hour
	_, _, b := accountOf(t, func(*azuriteServer) documented.Peculiarity { return documented.AzureSASPolicy(limit) })
	ctx := t.Context()
	_, err := b.Upload(ctx, "a", strings.NewReader("text"))
	require.NoError(t, err)
	status := func(ttl time.Duration, change func(url.Values)) int {
		signedURL, err := b.SignedDownloadURL(ctx, "a", storage.WithTTL(ttl))
		require.NoError(t, err)
		u, err := url.Parse(signedURL.URL)
		require.NoError(t, err)
		query := u.Query()
		change(query)
		u.RawQuery = query.Encode()
		return wiretest.NetHTTP(t, &storage.SignedURL{Method: http.MethodGet, URL: u.String()}, "").Status
	}

	same := func(url.Values) {}
	require.Equal(t, http.StatusOK, status(time.Minute, same))
	require.Equal(t, http.StatusOK, status(limit-15*time.Minute, same), "as docs/stores.md says")
	require.Equal(t, http.StatusForbidden, status(limit, same), "it begins 15 minutes ago")
	require.Equal(t, http.StatusForbidden, status(time.Minute, func(q url.Values) {
		q.Del("st")
	}))

	_, err = storage.Copy(ctx, b, "b", b, "a")
	require.NoError(t, err)
	completeParts(t, b, "c")
}

func completeParts(t *testing.T, b storage.Bucket, key string) {
	t.Helper()
	u := begin(t, b, key)
	for i, text := range []string{"one ", "two"} {
		_, err := u.PutPart(t.Context(), i+1, strings.NewReader(text))
		require.NoError(t, err)
	}
	_, err := u.Complete(t.Context())
	require.NoError(t, err)

	data, _, err := storage.ReadAll(t.Context(), b, key)
	require.NoError(t, err)
	require.Equal(t, "one two", string(data))
}

// The parts of an open upload leave no version, so that the container can be deleted.
// https://learn.microsoft.com/azure/storage/blobs/versioning-overview
func TestCompletePartsLeavesNoVersions(t *testing.T) {
	_, c, b := accountOf(t, func(s *azuriteServer) documented.Peculiarity { return documented.AzureVersions(s.access(t)) }, storage.WithVersioning(true))
	completeParts(t, b, "a")
	aborted := begin(t, b, "b")
	for range 2 { // the first becomes a noncurrent version
		_, err := aborted.PutPart(t.Context(), 1, strings.NewReader("x"))
		require.NoError(t, err)
	}
	require.NoError(t, aborted.Abort(t.Context()))

	for entry, err := range storage.Versions(t.Context(), b, storage.WithPrefix(".omnibucket//")) {
		require.NoError(t, err)
		require.Fail(t, "a version of a part stays", entry.Key)
	}

	for entry, err := range storage.Versions(t.Context(), b) {
		require.NoError(t, err)
		require.NoError(t, b.Remove(t.Context(), entry.Key, storage.WithVersion(entry.Version)))
	}

	name := c.Bucket
	c.Bucket = ""
	service, err := azure.NewService(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	require.NoError(t, service.DeleteBucket(t.Context(), name))
	_, err = service.CreateBucket(t.Context(), name) // the test deletes it
	require.NoError(t, err)
}

// A service that is older than the API version of the driver refuses every request, and the error names the parameter
// api_version=. With api_version=, the requests succeed.
// https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services
func TestConfigAPIVersionOfOlderService(t *testing.T) {
	_, c, b := accountOf(t, func(*azuriteServer) documented.Peculiarity { return documented.AzureOlder("2019-07-07") })
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorContains(t, err, "api_version=")

	c.APIVersion = "2019-07-07"
	old, err := azure.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(old)) })
	_, err = old.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	completeParts(t, old, "b")
}

// On an account with a hierarchical namespace, each call succeeds or fails with an error that tells what the
// account lacks. https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues.
func TestHierarchicalNamespaceAccount(t *testing.T) {
	_, c, b := accountOf(t, func(*azuriteServer) documented.Peculiarity { return documented.AzureHierarchical() })
	ctx := t.Context()
	upload := func(key string, opts ...storage.UploadOption) error {
		_, err := b.Upload(ctx, key, strings.NewReader("text"), opts...)
		return err
	}
	require.NoError(t, upload("top"))
	for _, err := range b.List(ctx) {
		require.NoError(t, err, "without directories, the order is that of any account")
	}

	require.NoError(t, upload("photos/2026/a.jpg"))
	data, _, err := storage.ReadAll(ctx, b, "photos/2026/a.jpg")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))

	_, listed := storage.ListPage(ctx, b, "")
	_, tags := storage.Tags(ctx, b, "top")
	for name, err := range map[string]error{
		"a listing with a directory": listed,
		"Upload onto a directory":    upload("photos"),
		"Copy onto a directory":      second(storage.Copy(ctx, b, "photos/2026", b, "top")),
		"Remove of a directory":      b.Remove(ctx, "photos"),
		"Upload with tags":           upload("tagged", storage.WithTags(map[string]string{"a": "b"})),
		"Tags":                       tags,
	} {
		require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "hierarchical namespace", name)
	}

	exists, err := b.Exists(ctx, "photos")
	require.NoError(t, err)
	require.False(t, exists, "it is a directory")

	require.NoError(t, b.Remove(ctx, "photos/2026/a.jpg"))
	c.HierarchicalNamespace = true // as a user who knows says
	told, err := azure.Open(ctx, c)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(told))
	})
	_, err = told.Upload(ctx, "photos/b", strings.NewReader("x"))
	require.NoError(t, err)
	var keys []string
	for e, err := range told.List(ctx, storage.WithAnyOrder()) {
		require.NoError(t, err)
		keys = append(keys, e.Key)
	}
	require.ElementsMatch(t, []string{"photos/b", "top"}, keys)
}

// An account for premium block blobs has no access tiers, and behaves like other accounts otherwise.
// https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview.
func TestPremiumAccount(t *testing.T) {
	_, _, b := accountOf(t, func(*azuriteServer) documented.Peculiarity { return documented.AzurePremium() })
	ctx := t.Context()
	_, err := b.Upload(ctx, "a", strings.NewReader("text"))
	require.NoError(t, err)
	_, withTier := b.Upload(ctx, "b", strings.NewReader("text"), storage.WithStorageClass("Cool"))
	_, copyErr := storage.Copy(ctx, b, "b", b, "a", storage.WithStorageClass("Cool"))

	for name, err := range map[string]error{
		"Upload":   withTier,
		"Copy":     copyErr,
		"in parts": second(b.Upload(ctx, "b", strings.NewReader(strings.Repeat("x", 3<<20)), storage.WithPartSize(1<<20), storage.WithStorageClass("Archive"))),
	} {
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "access tier", name)
	}

	completeParts(t, b, "c")
	_, err = storage.Copy(ctx, b, "d", b, "a")
	require.NoError(t, err)
}
