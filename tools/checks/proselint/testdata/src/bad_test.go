package src

import "testing"

func TestWhatIsNotThere(t *testing.T) {
	t.Log(`one line
and a road`)
}
