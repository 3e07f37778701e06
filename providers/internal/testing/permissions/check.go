package permissions

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A Credential is a kind of credentials: a column of the page.
type Credential int

// The kinds of credentials.
const (
	Amazon         Credential = iota // an IAM user or role
	Google                           // a service account or a user
	AzureRole                        // an identity of Microsoft Entra ID
	AzureSignature                   // a shared access signature
	credentials
)

// A classifier returns the permissions that a request needs. It sees all requests of an
// account, in order.
type classifier interface {
	needs(x *Exchange) ([]string, error)
}

var classifiers = [credentials]func() classifier{newAmazonAccount, newGoogleAccount, newAzureRole, newAzureSignature}

// A Kind is a kind of bucket.
type Kind int

// The kinds of buckets.
const (
	Plain Kind = iota
	Versions
	Locks
	AccessLists // objects can have access lists
)

// An Account is an account of a provider's, on a server that the recorder wraps. Each row has an
// account of its own.
type Account struct {
	Recorder *Recorder
	Service  storage.Service
	Owner    storage.Service     // makes the requests before a row; nil means Service
	Bucket   string              // one of the row's kind, which exists
	Key      storage.WriteOption // encrypts with a key of the provider's key management service
	Archive  string              // a storage class whose objects must be restored; "" means none
}

// Check runs each row for credentials, and compares its permissions with those of its requests.
func Check(t *testing.T, c Credential, open func(t *testing.T, kind Kind) Account) {
	for i := range Rows {
		row := &Rows[i]
		t.Run(row.Section+"/"+row.Name, func(t *testing.T) {
			got, unsupported := row.run(t, c, open(t, row.Kind))
			if unsupported {
				got = []string{Unsupported}
			}
			require.ElementsMatch(t, row.Needs.of(c), got)
		})
	}
}

// Suffices runs the rows of a role, whose policy the account's Service must have.
func Suffices(t *testing.T, role Role, open func(t *testing.T, kind Kind) Account) {
	for i := range Rows {
		if row := &Rows[i]; row.Role == role || role == Full && row.Role != None {
			t.Run(row.Section+"/"+row.Name, func(t *testing.T) {
				require.NoError(t, row.perform(t, open(t, row.Kind)))
			})
		}
	}
}

// perform runs a row, after its setup.
func (row *Row) perform(t *testing.T, account Account) error {
	t.Helper()
	e := &env{t: t, account: account, service: account.Service}
	if account.Owner != nil {
		e.service = account.Owner
	}
	e.open()
	if row.setup != nil {
		if err := row.setup(e); storage.CodeOf(err) == storage.Unsupported {
			return err
		} else {
			require.NoError(t, err, "setup")
		}
	}
	if account.Owner != nil {
		e.service = account.Service
		e.open(e.opts...)
	}
	account.Recorder.Begin()
	return row.do(e)
}

// run returns the permissions of the requests of a row.
func (row *Row) run(t *testing.T, c Credential, account Account) (needs []string, unsupported bool) {
	t.Helper()
	err := row.perform(t, account)
	if storage.CodeOf(err) == storage.Unsupported {
		return nil, true
	}
	require.NoError(t, err)
	classify := classifiers[c]()
	setup, counted := account.Recorder.exchanges()
	for i := range setup {
		_, _ = classify.needs(&setup[i])
	}
	for i := range counted {
		all, err := classify.needs(&counted[i])
		require.NoError(t, err)
		needs = append(needs, all...)
	}
	slices.Sort(needs)
	return slices.Compact(needs), false
}

func fields(text string) []string {
	all := strings.Fields(text)
	slices.Sort(all)
	return slices.Compact(all)
}
