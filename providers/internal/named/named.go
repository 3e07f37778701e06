// Package named reads credentials from environment variables that begin with a name. With several
// names, a program can use several accounts of one provider.
package named

import (
	"fmt"
	"os"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// Credentials is the name of some credentials. "" means the credentials without a name.
type Credentials string

// Check fails with InvalidArgument if n cannot be the name of credentials.
func (n Credentials) Check() error {
	const maxLength = 128
	isInvalid := func(c rune) bool { return c <= ' ' || c > '~' || c == '=' }
	if len(n) > maxLength || strings.ContainsFunc(string(n), isInvalid) {
		return argument.Invalid("Config.Credentials (credentials=)",
			"must be a name of at most 128 visible ASCII characters without =", "")
	}
	return nil
}

// Variable returns the name of the environment variable that these credentials use in place of the
// usual one, such as WORK_AWS_ACCESS_KEY_ID for AWS_ACCESS_KEY_ID if their name is "work".
func (n Credentials) Variable(variable string) string {
	toVariable := func(c rune) rune {
		if 'a' <= c && c <= 'z' {
			return c - 'a' + 'A'
		}
		if 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			return c
		}
		return '_'
	}
	return strings.Map(toVariable, string(n)) + "_" + variable
}

// Get returns the value of the environment variable that [Credentials.Variable] returns, or "".
func (n Credentials) Get(variable string) string { return os.Getenv(n.Variable(variable)) }

// Missing returns the error for a name without credentials. Its hint lists places, where they can be
// set, such as environment variables.
func (n Credentials) Missing(places ...string) *storage.Error {
	return &storage.Error{
		Code: storage.Unauthenticated,
		Err:  fmt.Errorf("there are no credentials named %s", n),
		Hint: "set " + strings.Join(places, ", or "),
	}
}
