package main

func Example() {
	main()
	// Output: hello, text/plain; charset=utf-8, <nil>
}
