package piecemeal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Errors returns the errors that errors.Join has joined.
func TestErrors(t *testing.T) {
	first := errors.New("first")
	second := errors.New("second")
	wrapped := fmt.Errorf("wrapped: %w", first)

	require.Nil(t, Errors(nil))
	require.Equal(t, []error{first}, Errors(first))
	require.Equal(t, []error{wrapped}, Errors(wrapped))
	require.Equal(t, []error{first, second}, Errors(errors.Join(first, nil, second)))
}
