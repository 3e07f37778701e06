// Package outside does not import the library.
package outside

import "context"

// Remove calls a method of what it gets.
func Remove[O any](ctx context.Context, r interface {
	Remove(ctx context.Context, key string, opts ...O) error
}) {
	_ = r.Remove(ctx, "a")
}

// RemoveIn is Remove with a type parameter.
func RemoveIn[O any, R interface {
	Remove(ctx context.Context, key string, opts ...O) error
}](ctx context.Context, r R) {
	_ = r.Remove(ctx, "a")
}

// Run runs a job.
func Run(j interface{ Run() }) { j.Run() }

// RunOf runs a job.
func RunOf[T interface{ RunOf() }](j T) { j.RunOf() }

// A Job is a generic interface.
type Job[T any] interface{ RunWith(T) }

// RunWith runs a job.
func RunWith[T any](j Job[T], with T) { j.RunWith(with) }

// Call calls f.
func Call[T any](f func(T), with T) { f(with) }

// Fill sets a variable.
func Fill[T any](to *T) {}

// Slot is for anything.
var Slot any
