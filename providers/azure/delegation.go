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
	userKeyLife  = 7 * 24 * time.Hour // the most that Azure gives, counted from the key's start
	userKeySkew  = 15 * time.Minute   // how far a clock of ours may be ahead of Azure's
	userKeyFresh = time.Hour          // an older key is renewed, so that one that was revoked signs no longer than that
	userKeyPause = time.Minute        // between two tries to renew a key that still serves
	userKeyTime  = 30 * time.Second   // of one request for a key
)

// userKeys keeps the user delegation key of an account that is opened with a
// token credential, so that signing makes no request but the first and one every
// hour; of many who need a key at once, one asks. The zero value is ready.
type userKeyCache struct {
	mu       sync.Mutex
	key      *userKey
	pending  *userKeyRequest
	failedAt time.Time // when a key that still served could not be renewed
}

// A userKey is never changed.
type userKey struct {
	signingKey
	since, ends time.Time
}

type userKeyRequest struct {
	done      chan struct{}
	key       *userKey
	err       error
	abandoned bool // by whoever asked: the others ask again
}

// An askUserKey makes one request for a key.
type userKeyFunc func(ctx context.Context, start, end time.Time) (*userKey, error)

func (k *userKey) isFresh(now time.Time) bool { return now.Sub(k.since) < userKeyFresh }

// serves reports whether k signs for ttl from now on. Nearly the whole life of a
// key can be asked for: a fresh one has to do, and the address ends with it.
func (k *userKey) isValidFor(now time.Time, ttl time.Duration) bool {
	return k != nil && now.Before(k.ends) && (k.isFresh(now) || !now.Add(ttl).After(k.ends))
}

// due reports whether a key that serves shall be renewed all the same: long
// before it has to be, so that nobody fails while Azure cannot be reached.
func (u *userKeyCache) shouldRenew(now time.Time) bool {
	return !u.key.isFresh(now) && u.pending == nil && now.Sub(u.failedAt) >= userKeyPause
}

// get is a key that signs for ttl, or nearly: it is asked for where none is at
// hand. Whoever waits for another's request leaves when ctx is over.
func (u *userKeyCache) get(ctx context.Context, now time.Time, ttl time.Duration, request userKeyFunc) (*userKey, error) {
	for {
		u.mu.Lock()
		key, r := u.key, u.pending
		valid := key.isValidFor(now, ttl)
		if valid && !u.shouldRenew(now) {
			u.mu.Unlock()
			return key, nil
		}
		if r == nil {
			return u.renew(ctx, now, valid, request)
		}
		u.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.done:
		}
		if !r.abandoned {
			return r.key, r.err
		}
	}
}

// renew asks for a key, with u.mu held when it is called and free when it
// returns. Where the old key still serves, a failure is not the caller's, unless
// the right to sign is gone.
func (u *userKeyCache) renew(ctx context.Context, now time.Time, valid bool, request userKeyFunc) (*userKey, error) {
	old := u.key
	r := &userKeyRequest{done: make(chan struct{}), abandoned: true}
	u.pending = r
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		switch {
		case r.key != nil:
			u.key, u.failedAt = r.key, time.Time{}
		case isDenied(r.err):
			u.key = nil
		case valid && !r.abandoned:
			u.failedAt = now
		}
		u.pending = nil
		u.mu.Unlock()
		close(r.done)
	}()
	asked, cancel := context.WithTimeout(ctx, userKeyTime)
	defer cancel()
	start := now.Add(-userKeySkew).UTC().Truncate(time.Second)
	r.key, r.err = request(asked, start, start.Add(userKeyLife))
	r.abandoned = r.err != nil && ctx.Err() != nil
	if r.err != nil && valid && !r.abandoned && !isDenied(r.err) {
		return old, nil
	}
	return r.key, r.err
}

// denied reports whether it was Azure that refused: a token that could not be
// had says nothing about the key.
func isDenied(err error) bool {
	var e *storage.Error
	return errors.As(err, &e) && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// userKeyHint says what Azure asks of who shall sign.
const userKeyHint = "signing with a token credential takes the right generateUserDelegationKey on the account, as the role Storage Blob Delegator has it"

// askUserKey asks the account for a key. The SDK keeps what it was given to
// itself, and takes the account's name from the host: the answer is read here.
//
// https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key
func (a *account) requestUserKey(ctx context.Context, start, end time.Time) (*userKey, error) {
	var response *http.Response
	from, until := start.Format(sasTime), end.Format(sasTime)
	_, err := a.service.GetUserDelegationCredential(policy.WithCaptureResponse(a.singleAttempt(ctx), &response), service.KeyInfo{Start: &from, Expiry: &until}, nil)
	err = reads(err)
	if storage.CodeOf(err) == storage.PermissionDenied {
		return nil, sdkerror.WithHint(err, userKeyHint)
	}
	if err != nil {
		return nil, err
	}
	return parseUserKey(a.name, response, start)
}

func parseUserKey(account string, response *http.Response, since time.Time) (*userKey, error) {
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
	ends, err := time.Parse(time.RFC3339, document.SignedExpiry)
	if err != nil {
		return nil, errUserKey
	}
	return &userKey{
		signingKey: signingKey{account: account, secret: secret, delegated: &delegation{
			objectID: document.SignedOid, tenantID: document.SignedTid,
			start: document.SignedStart, end: document.SignedExpiry,
			service: document.SignedService, version: document.SignedVersion,
		}},
		since: since.Add(userKeySkew), ends: ends.UTC().Truncate(time.Second),
	}, nil
}

// errUserKey does not say what the answer was: it may hold a key.
var errUserKey = &storage.Error{Code: storage.Internal, Err: errors.New("the user delegation key cannot be read")}
