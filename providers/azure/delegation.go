package azure

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

const (
	userKeyLife  = 7 * 24 * time.Hour // Azure's maximum, counted from the key's start
	clockSkew    = 15 * time.Minute   // how far this machine's clock may be ahead of Azure's
	userKeyFresh = time.Hour          // age at which a key is renewed; until then, a revoked key may still be used
	userKeyPause = time.Minute        // pause between two attempts to renew a key that is still valid
	userKeyTime  = 30 * time.Second   // time limit of one request for a key
)

// A userKeyCache keeps the user delegation key of an account with a token credential. If there is
// no key yet, or if the key is older than an hour, the next signature requests a new key.
// Concurrent callers share one request. The zero value is ready for use.
type userKeyCache struct {
	mu       sync.Mutex
	key      *userKey
	pending  *userKeyRequest
	failedAt time.Time // when a valid key could not be renewed
}

// A userKey is a user delegation key. It is never modified.
type userKey struct {
	signingKey       *signingKey
	created, expires time.Time
}

// A userKeyRequest is a request for a new key, for whose result several callers may wait.
type userKeyRequest struct {
	begun  time.Time
	oldKey *userKey // the key before the request if it is still valid, or nil

	done        chan struct{} // closed when the request has ended, and the following fields are set
	key         *userKey
	err         error
	isAbandoned bool // true if the ctx of the request's caller ended; other callers then send a new request
}

type userKeyFunc func(ctx context.Context, start, end time.Time) (*userKey, error)

func (k *userKey) isFresh(now time.Time) bool { return now.Sub(k.created) < userKeyFresh }

// isValidFor reports whether k can sign a URL for the time ttl. A fresh key may expire earlier,
// because a new key would hardly be valid longer. The URL then expires with the key.
func (k *userKey) isValidFor(now time.Time, ttl time.Duration) bool {
	if k == nil || !now.Before(k.expires) {
		return false
	}
	return k.isFresh(now) || !now.Add(ttl).After(k.expires)
}

// shouldRenew reports whether a valid key should be renewed early, so that
// signing still works while Azure is unavailable.
func (u *userKeyCache) shouldRenew(now time.Time) bool {
	return !u.key.isFresh(now) && u.pending == nil && now.Sub(u.failedAt) >= userKeyPause
}

// get returns a key that can sign for ttl. If there is none, it requests one, or waits for a
// pending request until ctx is done.
func (u *userKeyCache) get(
	ctx context.Context, now time.Time, ttl time.Duration, request userKeyFunc,
) (*userKey, error) {
	for {
		key, pending, isOwn := u.keyOrRequest(now, ttl)
		if key != nil {
			return key, nil
		}
		if isOwn {
			return u.renew(ctx, pending, request)
		}

		// Wait for the request of another caller, and share its result.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-pending.done:
		}
		if !pending.isAbandoned {
			return pending.key, pending.err
		}
		// That caller has given up, which says nothing about the key. Begin again.
	}
}

// keyOrRequest returns the key if it can sign for ttl and is not to be renewed yet. Otherwise it returns a
// nil key and the pending request for a new one. If no request is pending, it begins one. isOwn is then
// true, and the caller must send that request.
func (u *userKeyCache) keyOrRequest(
	now time.Time, ttl time.Duration,
) (key *userKey, pending *userKeyRequest, isOwn bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	isValid := u.key.isValidFor(now, ttl)
	if isValid && !u.shouldRenew(now) {
		return u.key, nil, false
	}
	if u.pending != nil {
		return nil, u.pending, false
	}

	// isAbandoned is true until there is a result, so that other callers send a new request if this caller
	// panics.
	u.pending = &userKeyRequest{begun: now, done: make(chan struct{}), isAbandoned: true}
	if isValid {
		u.pending.oldKey = u.key
	}
	return nil, u.pending, true
}

// renew sends the request r for a new key, which keyOrRequest has begun. If r fails temporarily, renew
// returns the old key while that is valid. It never returns the old key after Azure has refused r.
func (u *userKeyCache) renew(ctx context.Context, r *userKeyRequest, request userKeyFunc) (*userKey, error) {
	defer u.finish(r)

	// The key begins earlier than now, because the service's clock may be behind.
	reqCtx, cancel := context.WithTimeout(ctx, userKeyTime)
	defer cancel()
	start := r.begun.Add(-clockSkew).UTC().Truncate(time.Second)
	r.key, r.err = request(reqCtx, start, start.Add(userKeyLife))
	r.isAbandoned = r.err != nil && ctx.Err() != nil

	isTemporary := r.err != nil && !r.isAbandoned && !isDenied(r.err)
	if isTemporary && r.oldKey != nil {
		return r.oldKey, nil
	}
	return r.key, r.err
}

// finish stores the result of a request for a key, and closes r.done, for which other callers wait. An
// abandoned request, which tells nothing about the key, changes nothing else.
func (u *userKeyCache) finish(r *userKeyRequest) {
	u.mu.Lock()
	switch {
	case r.key != nil:
		u.key = r.key
		u.failedAt = time.Time{}
	case isDenied(r.err):
		// Drop the old key, because Azure may refuse its signatures, too.
		u.key = nil
	case r.oldKey != nil && !r.isAbandoned:
		// Use the old key, and send the next request only after a pause (see shouldRenew).
		u.failedAt = r.begun
	}
	u.pending = nil
	u.mu.Unlock()
	close(r.done)
}

// isDenied reports whether Azure refused the request for a key with status 401 or 403. If the token
// for that request could not be obtained, isDenied returns false.
func isDenied(err error) bool {
	var storageErr *storage.Error
	return errors.As(err, &storageErr) && (storageErr.Status == http.StatusUnauthorized || storageErr.Status == http.StatusForbidden)
}

// userKeyHint names the permission that signing needs.
const userKeyHint = "to sign with a token credential, grant it generateUserDelegationKey on the account, as in the role Storage Blob Delegator"

// requestUserKey requests a user delegation key, with which an account with a token can sign URLs.
// It parses the response itself, because the SDK does not expose the key and takes the account's
// name from the host.
// https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key
func (a *account) requestUserKey(ctx context.Context, start, end time.Time) (*userKey, error) {
	var response *http.Response // set by policy.WithCaptureResponse
	startText := start.Format(sasTime)
	endText := end.Format(sasTime)
	_, err := a.service.GetUserDelegationCredential(
		policy.WithCaptureResponse(a.singleAttempt(ctx), &response),
		service.KeyInfo{Start: &startText, Expiry: &endText},
		nil,
	)
	err = translateRead(verify(response, err))
	if storage.CodeOf(err) == storage.PermissionDenied {
		return nil, sdkerror.WithHint(err, userKeyHint)
	}
	if err != nil {
		return nil, err
	}

	key, err := parseUserKey(a.name, response, start)
	if err != nil {
		return nil, err
	}
	isOlderService := a.version != "" && a.version != sasVersion
	if isOlderService {
		// Such a service knows only older forms of a signature. Versions are dates, so min returns the
		// older one.
		key.signingKey.version = min(a.version, olderDelegation)
	}
	return key, nil
}

// parseUserKey returns the user delegation key in a response, with which an account with a token
// can sign URLs. The key was requested to be valid from start, and account is the account's name.
// If the response has no key, parseUserKey fails with errUserKey.
func parseUserKey(account string, response *http.Response, start time.Time) (*userKey, error) {
	var document struct {
		SignedOid, SignedTid, SignedStart, SignedExpiry, SignedService, SignedVersion, Value string
	}

	if err := runtime.UnmarshalAsXML(response, &document); err != nil {
		return nil, errUserKey
	}
	secret, err := base64.StdEncoding.DecodeString(document.Value)
	if err != nil || len(secret) == 0 || document.SignedOid == "" {
		return nil, errUserKey
	}
	end, err := time.Parse(time.RFC3339, document.SignedExpiry)
	if err != nil {
		return nil, errUserKey
	}

	// The request set start earlier than the present by clockSkew.
	return &userKey{
		signingKey: &signingKey{
			account: account,
			secret:  secret,
			delegated: &delegation{
				objectID: document.SignedOid,
				tenantID: document.SignedTid,
				start:    document.SignedStart,
				end:      document.SignedExpiry,
				service:  document.SignedService,
				version:  document.SignedVersion,
			},
		},
		created: start.Add(clockSkew),
		expires: end.UTC().Truncate(time.Second),
	}, nil
}

// errUserKey is the error if the response with a key cannot be parsed. It does not contain the
// response, because the response may have a key.
var errUserKey = &storage.Error{
	Code: storage.Internal,
	Err:  errors.New("the response with the user delegation key cannot be read"),
}
