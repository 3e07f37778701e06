// Package vended makes the driver of a bucket whose credentials differ by prefix and expire, as those that an
// Iceberg REST catalog vends.
package vended

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

const (
	// early is how long before their end credentials are replaced. Until then they serve if grant fails or is slow.
	early = 30 * time.Second
	// maxKept is how many prefixes have credentials at once.
	maxKept = 1000
)

// A Grant is a driver whose credentials hold for the keys with a prefix, until they expire; zero is never.
type Grant struct {
	Prefix  string
	Expires time.Time
	Driver  driver.Driver
}

// New returns the driver of a bucket. For each request it takes the driver that grant has returned for the
// key, or for the prefix of a listing. described makes no request.
func New(described driver.Driver, grant func(ctx context.Context, key string) (Grant, error)) driver.Driver {
	return &bucket{described, &keyring{grant: grant, kept: map[string]Grant{}, asked: map[string]*question{}}}
}

// A keyring keeps the grants that have not expired.
type keyring struct {
	grant func(ctx context.Context, key string) (Grant, error)
	mu    sync.Mutex
	kept  map[string]Grant     // by prefix
	asked map[string]*question // calls of grant, by the prefix that they replace, or the folder of the key
}

// A question is one call of grant, for which several requests wait.
type question struct {
	answered chan struct{}
	grant    Grant
	err      error
	canceled bool // the request that asked, not the question
}

// driver returns the driver for a key.
func (k *keyring) driver(ctx context.Context, key string) (driver.Driver, error) {
	for {
		k.mu.Lock()
		found, ending, topic := k.find(key)
		q, waiting := k.asked[topic]
		if waiting {
			found = cmp.Or(found, ending)
		}
		if found != nil {
			k.mu.Unlock()
			return found, nil
		}
		if !waiting {
			q = &question{answered: make(chan struct{})}
			k.asked[topic] = q
		}
		k.mu.Unlock()
		if !waiting {
			d, err := k.ask(ctx, key, topic, q)
			if err != nil && ending != nil {
				return ending, nil
			}
			return d, err
		}
		select {
		case <-q.answered:
		case <-ctx.Done():
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case q.err != nil && !q.canceled:
			return nil, q.err
		case q.err == nil && strings.HasPrefix(key, q.grant.Prefix):
			return q.grant.Driver, nil
		} // else: the grant does not hold for this key, or the other request was canceled
	}
}

// find returns the driver that is kept for a key: that of the longest prefix. If there is none, it returns what
// its question is about: the longest prefix whose credentials end, or the folder of the key. ending is nil if
// these have ended.
func (k *keyring) find(key string) (found, ending driver.Driver, topic string) {
	topic = "/" + key[:strings.LastIndexByte(key, '/')+1] // which no prefix is
	valid, ended := -1, -1
	for prefix, grant := range k.kept {
		switch {
		case !strings.HasPrefix(key, prefix):
		case grant.Expires.IsZero() || time.Until(grant.Expires) > early:
			if len(prefix) > valid {
				valid, found = len(prefix), grant.Driver
			}
		case len(prefix) > ended:
			if ended, topic, ending = len(prefix), prefix, nil; time.Until(grant.Expires) > 0 {
				ending = grant.Driver
			}
		}
	}
	return found, ending, topic
}

// ask calls grant, and answers the question.
func (k *keyring) ask(ctx context.Context, key, topic string, q *question) (driver.Driver, error) {
	grant, err := Grant{}, errors.New("CredentialsFor has not returned")
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.asked, topic)
		if q.grant, q.err, q.canceled = grant, err, ctx.Err() != nil; err == nil {
			k.keep(grant)
		}
		close(q.answered)
	}()
	grant, err = k.grant(ctx, key)
	switch {
	case err != nil:
		err = failed(ctx, err)
	case !strings.HasPrefix(key, grant.Prefix):
		err = failed(ctx, fmt.Errorf("CredentialsFor has returned credentials for another prefix, %q", grant.Prefix))
	case !grant.Expires.IsZero() && time.Until(grant.Expires) <= 0:
		err = failed(ctx, errors.New("CredentialsFor has returned credentials that have expired"))
	}
	return grant.Driver, err
}

// keep keeps a grant. If there are too many, it drops those that have expired, or else another one.
func (k *keyring) keep(grant Grant) {
	if len(k.kept) >= maxKept {
		maps.DeleteFunc(k.kept, func(_ string, old Grant) bool { return !old.Expires.IsZero() && time.Until(old.Expires) <= 0 })
		for prefix := range k.kept {
			if len(k.kept) < maxKept {
				break
			}
			delete(k.kept, prefix)
		}
	}
	k.kept[grant.Prefix] = grant
}

// aboutCredentials are the codes that a function may choose.
var aboutCredentials = []storage.Code{storage.Unauthenticated, storage.PermissionDenied, storage.RateLimited, storage.Unavailable, storage.DeadlineExceeded}

// failed returns the error of a request without credentials. A function may return an error of this library, such as
// Unavailable, which is retried. It must not look like an answer about the object: that a secret is not
// found does not mean that the object is not.
func failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	own, whole := errors.AsType[*storage.Error](err)
	code, alone := errors.AsType[storage.Code](err)
	switch {
	case whole && slices.Contains(aboutCredentials, own.Code):
		return own
	case !whole && slices.Contains(aboutCredentials, code):
		return code
	case whole || alone:
		err = errors.New(err.Error())
	}
	return &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: "check Config.CredentialsFor"}
}
