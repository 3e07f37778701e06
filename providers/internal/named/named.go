// Package named reads credentials by their name from the environment, so that a program can use several
// accounts of one provider.
package named

import (
	"fmt"
	"os"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// Credentials are the name of some credentials; "" if they have none.
type Credentials string

// Check fails with InvalidArgument if no credentials can have the name.
func (n Credentials) Check() error {
	if len(n) > 128 || strings.ContainsFunc(string(n), func(c rune) bool { return c <= ' ' || c > '~' || c == '=' }) {
		return argument.Invalid(
			"Config.Credentials (credentials=)", "must be a name of at most 128 visible ASCII characters without =", "",
		)
	}
	return nil
}

// Variable returns the name of the variable that replaces variable for these credentials:
// WORK_AWS_ACCESS_KEY_ID replaces AWS_ACCESS_KEY_ID for the name work.
func (n Credentials) Variable(variable string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return c
		}
		return '_'
	}, string(n)) + "_" + variable
}

// Get returns the value of the variable that [Credentials.Variable] names, or "".
func (n Credentials) Get(variable string) string { return os.Getenv(n.Variable(variable)) }

// Missing returns the error if no credentials have the name. It says where they were looked for.
func (n Credentials) Missing(places ...string) *storage.Error {
	return &storage.Error{
		Code: storage.Unauthenticated, Err: fmt.Errorf("there are no credentials named %s", n),
		Hint: "set " + strings.Join(places, ", or "),
	}
}
