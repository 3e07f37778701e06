package permissions

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

// A classifier returns the permissions that a request needs. It must see all requests of an
// account, in order, because it remembers objects.
type classifier interface {
	needs(x *Exchange) ([]string, error)
}

var classifiers = map[permissions.Provider]func() classifier{
	permissions.AWS:      newAmazonAccount,
	permissions.Google:   newGoogleAccount,
	permissions.Azure:    newAzureRole,
	permissions.AzureSAS: newAzureSignature,
}

// A Kind is the kind of bucket that an operation needs.
type Kind int

// The kinds of buckets.
const (
	Plain Kind = iota
	Versions
	Locks
	AccessLists // objects in the bucket can have access control lists
)

// An Account is an account of a provider on a test server. Its Recorder records the requests that
// the server gets. Each operation is tested with an account of its own.
type Account struct {
	Recorder  *Recorder
	Service   storage.Service
	Owner     storage.Service     // makes the requests of the setup; if nil, Service makes them
	Bucket    string              // existing bucket of the kind that the operation needs
	NewBucket string              // name of a bucket that can be created; "" means another-bucket
	Prefix    string              // beginning of all keys of the operation
	Grant     func()              // gives Service its permissions after the setup; may be nil
	Key       storage.WriteOption // option to encrypt with a KMS key of the provider
	Archive   string              // storage class whose objects must be restored; "" if there is none
}

// Check performs each operation, and requires that its requests need exactly the permissions in the
// table of the provider p.
func Check(t *testing.T, p permissions.Provider, open func(t *testing.T, kind Kind) Account) {
	for _, o := range permissions.Operations() {
		t.Run(string(o), func(t *testing.T) {
			got, unsupported := run(t, p, o, open(t, steps[o].kind))
			want, err := o.Needs(p) // from the table
			require.Equal(t, unsupported, storage.CodeOf(err) == storage.Unsupported)
			require.ElementsMatch(t, want, got)
		})
	}
}

// Suffices performs operations with an account whose Service has the policy for them, and requires that
// they succeed.
func Suffices(t *testing.T, operations []permissions.Operation, open func(t *testing.T, kind Kind) Account) {
	for _, o := range operations {
		t.Run(string(o), func(t *testing.T) {
			_, err := perform(t, o, open(t, steps[o].kind))
			require.NoError(t, err)
		})
	}
}

// perform performs an operation after its setup, and returns the settings that it has read, if any.
func perform(t *testing.T, o permissions.Operation, account Account) (settings any, err error) {
	t.Helper()
	step, ok := steps[o]
	require.True(t, ok, "no step performs the operation")
	e := &env{t: t, account: account, service: account.Service}
	if account.Owner != nil {
		e.service = account.Owner
	}

	// The owner of the account, if there is one, performs the setup.
	e.open()
	if step.setup != nil {
		setupErr := step.setup(e)
		if storage.CodeOf(setupErr) == storage.Unsupported {
			// The provider lacks what the operation is about, so it lacks the operation.
			return nil, setupErr
		}
		require.NoError(t, setupErr, "setup")
	}

	// From here on, the operation has only its own permissions, and its requests count.
	if account.Owner != nil {
		e.service = account.Service
		e.open(e.opts...)
	}
	if account.Grant != nil {
		account.Grant()
	}
	account.Recorder.Begin()
	err = step.do(e)
	return e.settings, err
}

// run performs an operation, and returns the permissions that its requests need, sorted and each once.
// unsupported is true if the provider does not support the operation.
func run(
	t *testing.T, p permissions.Provider, o permissions.Operation, account Account,
) (needs []string, unsupported bool) {
	t.Helper()
	_, err := perform(t, o, account)
	if storage.CodeOf(err) == storage.Unsupported {
		return nil, true
	}
	require.NoError(t, err)

	// A classifier returns the permissions that the provider requires for a request.
	classifier := classifiers[p]()
	setup, exchanges := account.Recorder.exchanges()
	// The classifier only has to learn about the objects of the setup, so ignore its results.
	for i := range setup {
		_, _ = classifier.needs(&setup[i])
	}
	for i := range exchanges {
		exchangeNeeds, err := classifier.needs(&exchanges[i])
		require.NoError(t, err)
		needs = append(needs, exchangeNeeds...)
	}
	slices.Sort(needs)
	return slices.Compact(needs), false
}
