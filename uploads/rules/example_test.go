package rules_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage/uploads/rules"
)

// The content decides the type of a file. The name of the file does not, nor does the type that the
// sender states.
func Example() {
	judge, err := rules.New(rules.Rules{Types: []string{"application/pdf", "image/png"}, MaxSize: 5 << 20})
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := judge.Inspect(context.Background(), strings.NewReader("%PDF-1.7 an invoice"), "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.MediaType, verdict.Extension)

	_, err = judge.Inspect(context.Background(), strings.NewReader("<html><script>alert(1)</script>"), "image/png")
	if refusal, ok := errors.AsType[*rules.Refusal](err); ok {
		fmt.Println(refusal)
	}
	// Output:
	// application/pdf .pdf
	// type_not_allowed: This file is not the PNG that it claims to be. Allowed: PDF and PNG.
}
