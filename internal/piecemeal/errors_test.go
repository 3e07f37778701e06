package piecemeal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrors(t *testing.T) {
	a := errors.New("a")
	b := errors.New("b")
	wrapped := fmt.Errorf("c: %w", a)
	require.Nil(t, Errors(nil))
	require.Equal(t, []error{a}, Errors(a))
	require.Equal(t, []error{wrapped}, Errors(wrapped))
	require.Equal(t, []error{a, b}, Errors(errors.Join(a, nil, b)))
}
