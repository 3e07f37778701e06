package permissions

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

// A policy is an IAM policy as JSON.
type policy struct {
	Version   string
	Statement []policyStatement
}

type policyStatement struct {
	Effect    string
	Principal any `json:",omitempty"`
	Action    []string
	Resource  string
	Condition any `json:",omitempty"`
}

// without returns a copy of the policy that does not allow the action.
func (p policy) without(action string) policy {
	statements := []policyStatement{}
	for _, statement := range p.Statement {
		statement.Action = slices.DeleteFunc(slices.Clone(statement.Action), func(a string) bool { return a == action })
		if len(statement.Action) > 0 {
			statements = append(statements, statement)
		}
	}
	p.Statement = statements
	return p
}

// text returns the policy in JSON.
func (p policy) text(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	return string(text)
}

// A Trial is an operation, together with the IAM policy that the account must enforce for it.
type Trial struct {
	Operation permissions.Operation
	Kind      Kind
	Prefix    string // prefix of keys, if a policy can limit the operation to a prefix
	Bucket    string // name of the bucket; the operation itself may create the bucket
	Policy    string
}

// Creates reports whether the operation creates the bucket.
func (trial Trial) Creates() bool { return strings.HasPrefix(string(trial.Operation), "create-bucket") }

// A Enforcer is a server that enforces the policies of a provider. Tests use it to check that policies
// are minimal.
type Enforcer struct {
	Provider permissions.Provider
	Bucket   func() string // returns a new bucket name for one trial
	Open     func(t *testing.T, trial Trial) Account
	// Unenforced lists what Least cannot test, because the server does not enforce it. The value of
	// an entry is the reason. A key may be an action, such as "s3:GetObject". It may be one action
	// of one operation, such as "restore s3:GetObject". It may also be an operation, such as
	// "restore".
	Unenforced map[string]string
}

// Least tests that package permissions returns minimal policies. It performs each operation with its
// policy, which is limited to prefix if possible, and again without each of the policy's actions.
// Without an action, one of these effects must occur:
//
//   - The operation fails.
//   - The server denies a request.
//   - The operation reads fewer settings.
func Least(t *testing.T, e Enforcer, prefix string) {
	// unused has the entries of e.Unenforced that no operation has needed so far.
	unused := maps.Clone(e.Unenforced)
	for _, o := range permissions.Operations() {
		operation := string(o)
		delete(unused, operation)
		if e.Unenforced[operation] != "" {
			continue
		}
		needs, err := o.Needs(e.Provider)
		if storage.CodeOf(err) == storage.Unsupported {
			continue
		}
		require.NoError(t, err)

		actions := e.enforcedActions(operation, needs, unused)
		t.Run(operation, func(t *testing.T) {
			e.testPolicy(t, o, prefix, actions)
		})
	}
	require.Empty(t, unused, "no operation needs these entries of Unenforced")
}

// enforcedActions returns those actions that the server enforces for an operation. It removes the entries
// of e.Unenforced for the actions from unused.
func (e Enforcer) enforcedActions(operation string, actions []string, unused map[string]string) []string {
	var enforced []string
	for _, action := range actions {
		use := operation + " " + action
		if e.Unenforced[action] == "" && e.Unenforced[use] == "" {
			enforced = append(enforced, action)
		}
		delete(unused, action)
		delete(unused, use)
	}
	return enforced
}

// testPolicy tests the policy of one operation. With the whole policy, the operation must succeed.
// Without any of the actions, it must be denied or have another result.
func (e Enforcer) testPolicy(t *testing.T, o permissions.Operation, prefix string, actions []string) {
	trial, _ := e.newTrial(t, o, prefix)
	fullSettings, err := perform(t, o, e.Open(t, trial))
	require.NoError(t, err)

	for _, action := range actions {
		t.Run("without "+action, func(t *testing.T) {
			trial, policy := e.newTrial(t, o, prefix)
			trial.Policy = policy.without(action).text(t)
			account := e.Open(t, trial)
			settings, err := perform(t, o, account)

			// Without the action, an operation may succeed, but must then read fewer settings.
			succeeded := err == nil && !account.Recorder.denied()
			if succeeded {
				require.NotEqual(t, fullSettings, settings, "the operation does not need the action")
			}
		})
	}
}

// newTrial returns a trial of an operation with its whole policy, in a bucket of its own. The policy is
// limited to prefix if the provider can limit it.
func (e Enforcer) newTrial(t *testing.T, o permissions.Operation, prefix string) (trial Trial, full policy) {
	t.Helper()
	grant := permissions.Grant{
		Operations: []permissions.Operation{o},
		Bucket:     e.Bucket(),
		Prefix:     prefix,
		KMSKey:     someKey,
	}
	documents, err := grant.Documents(e.Provider)
	if storage.CodeOf(err) == storage.Unsupported {
		// The provider cannot limit the policy to a prefix.
		grant.Prefix = ""
		documents, err = grant.Documents(e.Provider)
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(documents[0].Text), &full))
	return Trial{
		Operation: o,
		Kind:      steps[o].kind,
		Prefix:    grant.Prefix,
		Bucket:    grant.Bucket,
		Policy:    documents[0].Text,
	}, full
}

const someKey = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
