package principal

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// MaxFileBytes bounds a profile or groups file before it is parsed; a readable file is a few KiB.
const MaxFileBytes = 64 << 10

// FileError is one fault of a profile or groups file, with the place a person has to look at.
type FileError struct {
	// File is the name the caller gave to the parser.
	File string
	// Line and Column count from 1; 0 means that the file as a whole is meant.
	Line, Column int
	// Problem says what is wrong and, where it is known, what would be right.
	Problem string
}

// Error renders the fault as file:line:column: problem.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Problem
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// keyError is a fault in the value of a dotted key; index is the array element at fault, or -1.
type keyError struct {
	key     string
	index   int
	problem string
}

func (e *keyError) Error() string {
	if e.index >= 0 {
		return fmt.Sprintf("%s[%d]: %s", e.key, e.index, e.problem)
	}
	return e.key + ": " + e.problem
}

// document is one TOML file on its way to a typed value.
type document struct {
	file string
	data []byte
}

// decode fills into, a pointer to a struct with toml tags, and refuses unknown keys and wrong types.
func (d document) decode(into any) error {
	if len(d.data) > MaxFileBytes {
		return d.fail(fmt.Sprintf("%d bytes, at most %d are read", len(d.data), MaxFileBytes))
	}
	err := toml.NewDecoder(bytes.NewReader(d.data)).DisallowUnknownFields().Decode(into)
	if err == nil {
		return nil
	}
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		return d.unknownKeys(strict, reflect.TypeOf(into))
	}
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := wrong.Position()
		problem := strings.TrimPrefix(wrong.Error(), "toml: ")
		if key := strings.Join(wrong.Key(), "."); key != "" {
			problem = key + ": " + problem
		}
		return &FileError{File: d.file, Line: line, Column: column, Problem: problem}
	}
	return d.fail(strings.TrimPrefix(err.Error(), "toml: "))
}

// maxKeyErrors bounds how many unknown keys one error lists; the first few tell what is wrong with the file.
const maxKeyErrors = 8

func (d document) unknownKeys(strict *toml.StrictMissingError, root reflect.Type) error {
	var all []error
	for i := range strict.Errors[:min(len(strict.Errors), maxKeyErrors)] {
		e := &strict.Errors[i]
		line, column := e.Position()
		problem := fmt.Sprintf("unknown key %q", strings.Join(e.Key(), "."))
		if near := nearest(e.Key(), root); near != "" {
			problem += fmt.Sprintf("; did you mean %q?", near)
		}
		all = append(all, &FileError{File: d.file, Line: line, Column: column, Problem: problem})
	}
	return errors.Join(all...)
}

func (d document) fail(problem string) error { return &FileError{File: d.file, Problem: problem} }

// locate turns a keyError into a FileError with the position of the value it speaks of.
func (d document) locate(err error) error {
	fault, ok := errors.AsType[*keyError](err)
	if !ok {
		return err
	}
	line, column := d.position(fault.key, fault.index)
	return &FileError{File: d.file, Line: line, Column: column, Problem: fault.Error()}
}

// position finds the value of a dotted key, or its table when the key itself is absent. It runs on the error path only.
func (d document) position(dotted string, index int) (line, column int) {
	var parser unstable.Parser
	parser.Reset(d.data)
	table := ""
	for parser.NextExpression() {
		node := parser.Expression()
		name := joinKey(node.Key())
		if node.Kind != unstable.KeyValue {
			table = name + "."
		} else {
			name = table + name
		}
		if name != dotted && !strings.HasPrefix(dotted, name+".") {
			continue
		}
		at := keyNode(node)
		if node.Kind == unstable.KeyValue && index >= 0 {
			at = element(node.Value(), index, at)
		}
		start := parser.Shape(at.Raw).Start
		line, column = start.Line, start.Column
	}
	return line, column
}

func keyNode(node *unstable.Node) *unstable.Node {
	it := node.Key()
	it.Next()
	return it.Node()
}

func element(array *unstable.Node, index int, otherwise *unstable.Node) *unstable.Node {
	it := array.Children()
	for i := 0; it.Next(); i++ {
		if i == index && it.Node().Raw.Length > 0 {
			return it.Node()
		}
	}
	return otherwise
}

func joinKey(it unstable.Iterator) string {
	var parts []string
	for it.Next() {
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, ".")
}
