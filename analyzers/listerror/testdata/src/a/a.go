package a

import "iter"

func list() iter.Seq2[string, error]     { return nil }
func pairs() iter.Seq2[string, int]      { return nil }
func keys() iter.Seq[string]             { return nil }
func plain() func(func(int, error) bool) { return nil }

func loops() {
	for key := range list() { // want `the error of the iterator is dropped`
		_ = key
	}
	for range list() { // want `the error of the iterator is dropped`
	}
	for key, _ := range list() { // want `the error of the iterator is dropped`
		_ = key
	}
	for n := range plain() { // want `the error of the iterator is dropped`
		_ = n
	}
	for key, err := range list() {
		_, _ = key, err
	}
	for key := range pairs() {
		_ = key
	}
	for key := range keys() {
		_ = key
	}
	for i := range 3 {
		_ = i
	}
}
